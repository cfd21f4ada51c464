"""The console in a real Chromium, over a running system with clinics in every state that people ask about.

`make test-browser` installs what drives it. Where there is no Chromium nothing is run, and that is said.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright
from tests.support.eventually import eventually

from ..world import TOOL, World

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
REFUSED = {"route": "POST /tool", "action": {"kind": "status", "status": 400}}


@dataclass(frozen=True, slots=True)
class Clinics:
    """Adler can book, Specht has switched booking off, Vapi has refused Eule's tool."""

    adler: UUID
    specht: UUID
    eule: UUID
    adler_agent: str
    eule_agent: str


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("NOT RUN: there is no Chromium")
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def clinics(own_world: World) -> Clinics:
    world = own_world
    adler, specht, eule = [await world.organization(f"Praxis {name}") for name in ("Adler", "Specht", "Eule")]
    saved = await world.synced_agent(adler, name="Front desk")
    await world.synced_agent(specht, name="Night line")
    answer = await world.tool_sync.put(
        f"/v1/orgs/{specht}/tools/{TOOL}/settings",
        json={"enabled": False, "reason": "double bookings"},
        headers=world.bearer(specht),
    )
    assert answer.status_code == 202, answer.text
    await world.vapi.dial([REFUSED])
    refused = await world.save(eule, f"agent-{uuid4()}", name="Reception")
    await eventually(lambda: _has_failed(world, eule), within_seconds=20)
    await world.vapi.dial([])
    await world.quiet()
    return Clinics(adler, specht, eule, saved["agentId"], refused["agentId"])


async def _has_failed(world: World, org_id: UUID) -> bool:
    found = await world.log_db.fetchval(
        "SELECT count(*) FROM events WHERE org_id = $1 AND type = 'AssistantSyncFailed'", org_id
    )
    return bool(found)


async def signed_in(browser: Browser, world: World, token: str, *, script: bool = True, **options: Any) -> Page:
    """A page of somebody who has signed in by the form; it is at the first page."""
    context = await browser.new_context(java_script_enabled=script, bypass_csp=False, **options)
    page = await context.new_page()
    await page.goto(f"{world.stack.tool_sync_url}/console/")
    await page.get_by_label("Your token").fill(token)
    await page.get_by_role("button", name="Sign in").click()
    await asyncio.sleep(0)
    return page
