"""A clinic's status in frames of two sites, one that the platform has named and one that it has not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from html import escape
from typing import Literal

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, Route, expect
from tests.support.eventually import until

from ..world import World
from .conftest import Clinics

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Site:
    """A site of somebody's own, of one page."""

    def __init__(self) -> None:
        self.body = ""

    async def open(self) -> str:
        """Its origin."""
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        main = f"<main><h1>Praxis Adler</h1>{self.body}</main>"
        page = f"<!doctype html><html lang=en><title>Praxis Adler</title>{main}".encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + page)
        await writer.drain()
        writer.close()


@dataclass(frozen=True, slots=True)
class Framed:
    """Two sites that show the same; the status's address, and what embeds it."""

    console: str
    named: str
    other: str
    url: str
    sites: tuple[Site, Site]

    def show(self, body: str) -> None:
        for site in self.sites:
            site.body = body


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def framed(own_world: World, clinics: Clinics) -> AsyncIterator[Framed]:
    """tool-sync was started again, with one of the sites named."""
    async with AsyncExitStack() as exits:
        sites = Site(), Site()
        named, other = [await site.open() for site in sites]
        for site in sites:
            exits.push_async_callback(site.close)
        stack = own_world.stack
        await stack.children["tool-sync"].stop()
        surroundings = replace(stack.surroundings, sign_in_env={"CONSOLE_FRAME_ANCESTORS": named})
        await replace(stack, surroundings=surroundings).start_service("tool_sync")
        answer = await own_world.tool_sync.post(
            f"/v1/orgs/{clinics.adler}/status-links", json={"label": "test"}, headers=own_world.bearer(clinics.adler)
        )
        made = answer.raise_for_status().json()
        found = Framed(f"{stack.tool_sync_url}/console", named, other, made["url"], sites)
        found.show(made["html"])
        yield found


async def visited(chromium: Browser, url: str, *, script: bool = True) -> tuple[Page, list[str]]:
    """A visitor's page, and what the browser has refused on it."""
    context = await chromium.new_context(java_script_enabled=script)
    page, refused = await context.new_page(), list[str]()
    page.on("console", lambda message: refused.append(message.text) if message.type == "error" else None)
    await page.goto(url, wait_until="load")
    return page, refused


async def said(refused: list[str], words: str) -> None:
    """Waits until the browser has said it of what it refused, which it does a moment after the page is loaded."""

    async def is_said() -> bool:
        return any(words in line for line in refused)

    assert await until(is_said, 10), (words, refused)


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
async def test_a_site_that_is_named_shows_it(chromium: Browser, framed: Framed, script: bool) -> None:
    page, refused = await visited(chromium, framed.named, script=script)
    await expect(page.frame_locator("iframe").get_by_text("Your assistant can book since")).to_be_visible()
    assert [line for line in refused if "favicon" not in line] == []
    assert await page.context.cookies() == []
    if script:
        found = await Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
    await page.context.close()


async def test_a_site_that_is_not_named_shows_nothing_of_it(chromium: Browser, framed: Framed) -> None:
    page, refused = await visited(chromium, framed.other)
    await said(refused, "frame-ancestors")
    await expect(page.frame_locator("iframe").get_by_text("Your assistant")).to_have_count(0)
    await page.context.close()


async def test_a_site_that_is_named_frames_no_other_page(chromium: Browser, framed: Framed) -> None:
    for path in ("/login", "/embed"):
        framed.show(f'<iframe src="{escape(framed.console + path)}" title="a page"></iframe>')
        page, refused = await visited(chromium, framed.named)
        await said(refused, "frame-ancestors 'none'")
        await page.context.close()


async def test_it_loads_itself_again_without_a_script(chromium: Browser, framed: Framed) -> None:
    asked = asyncio.Event()
    times = 0

    async def sooner(route: Route) -> None:
        nonlocal times
        answer = await route.fetch()
        assert answer.headers["refresh"] == "60"
        times += 1
        if times == 2:
            asked.set()
        await route.fulfill(response=answer, headers={**answer.headers, "refresh": "1"})

    context = await chromium.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.route("**/embed/*", sooner)
    await page.goto(framed.url)
    async with asyncio.timeout(20):
        await asked.wait()
    await context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_is_whole_at_320_pixels(chromium: Browser, framed: Framed, scheme: Literal["light", "dark"]) -> None:
    context = await chromium.new_context(viewport={"width": 320, "height": 160}, color_scheme=scheme)
    page = await context.new_page()
    for url in (framed.url, f"{framed.console}/embed/{'A' * 43}"):
        await page.goto(url)
        assert not await page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        found = await Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
    await page.context.close()
