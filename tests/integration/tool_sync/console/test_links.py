"""A link that signs in once: who may make one, who gets in by it, and what anybody else sees."""

import asyncio
import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from devstack.tokens import Signer
from tool_sync import db, telemetry
from tool_sync.console.app import mounted
from tool_sync.console.session import COOKIE, Sealer
from tool_sync.http.app import build
from tool_sync.http.state import ConsoleDoor, HttpState
from tool_sync.log import EventLog
from tool_sync.queries.console_links import LASTS, OPEN_MAX, forget_links, keep_link
from tool_sync.settings import Settings
from zerotouch_platform.auth import TokenVerifier
from zerotouch_platform.health import Health

from ..rollouts.desk import platform_desk
from .conftest import KEY, Browser, said

GONE = "This link is good no more"


async def _made(browser: Browser, token: str, status: int = 201) -> dict[str, Any]:
    """What a program is answered that asks for a link."""
    headers = {"Authorization": f"Bearer {token}"}
    answer = await browser.client.post("/v1/console/links", headers=headers)
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def _path(browser: Browser, token: str) -> str:
    """The path of a new link, below ``/console``."""
    return str((await _made(browser, token))["url"]).removeprefix("http://tool-sync/console")


async def _code(browser: Browser, token: str) -> bytes:
    return base64.urlsafe_b64decode((await _path(browser, token)).removeprefix("/enter/") + "=")


async def _press(browser: Browser, path: str, **headers: str) -> Any:
    return await browser.client.post(f"/console{path}", headers=headers, follow_redirects=True)


async def test_a_link_signs_in_once_with_the_callers_own_token(
    browser: Browser, make_browser: Callable[[], Browser], signer: Signer
) -> None:
    token = signer.platform_token()
    link = await _made(browser, token)
    ends_in = datetime.fromisoformat(link["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=4) < ends_in <= LASTS
    path = link["url"].removeprefix("http://tool-sync/console")
    for _ in range(2):  # a preview uses nothing up
        assert "Sign in to the console" in await make_browser().text(path)
    entered = await _press(browser, path)
    assert (entered.status_code, entered.url.path) == (200, "/console/")
    assert Sealer(KEY, is_secure=False).unseal(browser.client.cookies[COOKIE]) == token
    second = make_browser()
    assert GONE in await second.text(path, 410)
    assert GONE in said((await _press(second, path)).text)
    assert COOKIE not in second.client.cookies


async def test_of_two_who_press_at_once_one_gets_in(
    browser: Browser, make_browser: Callable[[], Browser], signer: Signer
) -> None:
    path = await _path(browser, signer.platform_token())
    both = [make_browser(), make_browser()]
    answers = await asyncio.gather(*(_press(one, path) for one in both))
    assert sorted(answer.status_code for answer in answers) == [200, 410]


async def test_who_comes_late_or_with_a_code_of_their_own_sees_the_same_page(
    browser: Browser, signer: Signer, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    late = await _path(browser, signer.platform_token())
    await admin.execute("UPDATE console_links SET expires_at = now() - interval '1 second'")
    used = await _path(browser, signer.platform_token())  # which deletes the late one, too
    assert await admin.fetchval("SELECT count(*) FROM console_links") == 1
    await browser.client.post(f"/console{used}")
    browser.client.cookies.clear()
    pages = set()
    for path in (late, used, f"/enter/{'A' * 43}", "/enter/x", f"/enter/{'ä' * 43}", f"/enter/{'A' * 5000}"):
        shown, pressed = await browser.get(path), await _press(browser, path)
        assert (shown.status_code, pressed.status_code) == (410, 410)
        pages |= {said(shown.text).partition(" UTC")[0][:-19], said(pressed.text).partition(" UTC")[0][:-19]}
    assert len(pages) == 1
    assert COOKIE not in browser.client.cookies


async def test_a_link_that_ends_while_its_page_is_open_signs_nobody_in(
    browser: Browser, signer: Signer, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    path = await _path(browser, signer.platform_token())
    assert "Sign in to the console" in await browser.text(path)
    await admin.execute("UPDATE console_links SET expires_at = now()")
    assert (await _press(browser, path)).status_code == 410
    assert await admin.fetchval("SELECT count(*) FROM console_links") == 0


async def test_the_table_lets_nobody_in(
    browser: Browser, signer: Signer, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    token = signer.platform_token()
    code = await _code(browser, token)
    row = await admin.fetchrow("SELECT * FROM console_links")
    assert row is not None
    assert row["code_hash"] == sha256(code).digest()
    sealed = row["sealed_token"]
    assert token.split(".")[1] not in sealed
    browser.client.cookies.set(COOKIE, sealed, path="/console")
    assert (await browser.get("/")).url.path == "/console/login"
    sealer = Sealer(KEY, is_secure=False)
    assert sealer.unseal_link(sealed, code) == token
    assert sealer.unseal_link(sealed, bytes(32)) is None
    assert Sealer(bytes(32), is_secure=False).unseal_link(sealed, code) is None


async def test_another_row_in_the_place_of_ones_own_signs_nobody_in(
    browser: Browser, signer: Signer, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await _path(browser, signer.platform_token())
    own = await _path(browser, signer.platform_token())
    await admin.execute(
        "UPDATE console_links a SET sealed_token = b.sealed_token FROM console_links b WHERE a.code_hash <> b.code_hash"
    )
    assert (await _press(browser, own)).status_code == 410


async def test_only_the_platform_makes_links(browser: Browser, signer: Signer) -> None:
    assert (await browser.client.post("/v1/console/links")).status_code == 401
    await _made(browser, signer.org_token(str(uuid4())), 403)
    token = signer.platform_token()
    await browser.sign_in(token)
    assert (await browser.client.post("/v1/console/links")).status_code == 401  # a cookie is for pages alone


async def test_a_token_that_no_browser_keeps_has_no_link(browser: Browser, signer: Signer) -> None:
    answer = await _made(browser, signer._token({"sub": "s" * 3500, "role": "platform"}, 60), 409)
    assert "too long" in answer["detail"]


async def test_a_trace_does_not_have_the_code(
    pool: db.Pool, event_log: EventLog, settings: Settings, signer: Signer
) -> None:
    exporter = InMemorySpanExporter()
    tracing = telemetry.set_up(None, exporter=exporter)
    state = HttpState(TokenVerifier(settings), Health(check_seconds_max=0.2, starting=None), pool, log=event_log)
    app = mounted(build(state, tracing), state, Sealer(KEY, is_secure=False))
    code = "A" * 43
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://tool-sync") as client:
        assert (await client.get(f"/console/enter/{code}")).status_code == 410
    await tracing.shutdown()
    (span,) = exporter.get_finished_spans()
    assert code not in span.to_json()
    assert (span.attributes or {})["url.path"] == "/console/enter/…"


async def test_another_site_presses_nothing(browser: Browser, signer: Signer) -> None:
    path = await _path(browser, signer.platform_token())
    answer = await _press(browser, path, **{"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert (await _press(browser, path)).status_code == 200


async def test_a_token_that_has_ended_meanwhile_is_told_at_the_form(
    browser: Browser, signer: Signer, pool: db.Pool
) -> None:
    code, sealer = bytes(range(32)), Sealer(KEY, is_secure=False)
    sealed = sealer.seal_link(signer.platform_token(lifetime_seconds=-3600), code)
    assert sealed is not None
    async with pool.acquire() as connection:
        await keep_link(connection, code, sealed)
    text = base64.urlsafe_b64encode(code).decode().rstrip("=")
    entered = await _press(browser, f"/enter/{text}")
    assert (entered.url.path, "the token has expired" in said(entered.text)) == ("/console/login", True)


async def test_links_are_bounded_and_forgotten(
    pool: db.Pool, browser: Browser, signer: Signer, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await admin.execute(
        """INSERT INTO console_links SELECT sha256(n::text::bytea), 'x', now() + interval '1 minute'
             FROM generate_series(1, $1::int) n""",
        OPEN_MAX,
    )
    assert "too many links are open" in (await _made(browser, signer.platform_token(), 409))["detail"]
    await admin.execute("UPDATE console_links SET expires_at = now() - interval '1 second'")
    await forget_links(pool)
    assert await admin.fetchval("SELECT count(*) FROM console_links") == 0
    async with pool.acquire() as connection:
        assert await keep_link(connection, bytes(32), "x") is not None


@pytest.mark.parametrize(
    ("door", "words"), [(None, "CONSOLE_KEY"), (ConsoleDoor(None, lambda token, _code: token), "CONSOLE_URL")]
)
async def test_where_there_is_no_console_there_is_no_link(
    pool: db.Pool, event_log: EventLog, signer: Signer, door: ConsoleDoor | None, words: str
) -> None:
    async with platform_desk(pool, event_log, signer) as desk:
        desk.state.console = door
        assert words in (await desk.post("console/links", 409))["detail"]
