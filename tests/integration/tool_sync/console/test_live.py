"""*Live*: what happens, with filters in the address; the stream over a real socket, as its answer has no end."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import httpx
import pytest

from devstack.tokens import Signer
from tool_sync import db
from tool_sync.console import live
from tool_sync.console.app import mounted
from tool_sync.console.session import COOKIE, Sealer
from tool_sync.domain import events as e
from tool_sync.http.app import build
from tool_sync.http.lasting import lasts
from tool_sync.http.state import HttpState
from tool_sync.log import EventLog
from tool_sync.outcomes.feed import Tail
from tool_sync.settings import Settings
from zerotouch_platform import telemetry
from zerotouch_platform.auth import TokenVerifier
from zerotouch_platform.health import Health
from zerotouch_platform.server import HttpServer, bind

from ..ordering import say
from .conftest import KEY, Browser, said
from .oncall import HOSTILE, TOOL, World, save

BYTES_MAX = 60_000


@pytest.fixture
def world(event_log: EventLog, pool: db.Pool) -> World:
    return World(event_log, pool)


@pytest.fixture
async def url(settings: Settings, pool: db.Pool, tail: Tail) -> AsyncIterator[str]:
    """The address of a running console."""
    async with pool.acquire() as connection:
        log_id = await db.read_log_id(connection)
    state = HttpState(
        TokenVerifier(settings),
        Health(check_seconds_max=0.2, starting=None),
        pool,
        tail,
        log_id,
    )
    app = mounted(build(state, telemetry.off()), state, Sealer(KEY, is_secure=False))
    server = HttpServer(app, bind("127.0.0.1", 0))
    running = asyncio.create_task(server.run_forever())
    yield f"http://127.0.0.1:{server.port}"
    server.stop()
    await running


@asynccontextmanager
async def streaming(url: str, token: str, query: str = "", **headers: str) -> AsyncIterator[AsyncIterator[str]]:
    """The lines of a stream that tell something."""
    cookies = {COOKIE: Sealer(KEY, is_secure=False).seal(token)}
    async with (
        asyncio.timeout(15),
        httpx.AsyncClient(timeout=20, cookies=cookies) as client,
        client.stream("GET", f"{url}/console/live/stream?{query}", headers=headers) as answer,
    ):
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        yield (line async for line in answer.aiter_lines() if line)


async def rows(lines: AsyncIterator[str], number: int) -> list[str]:
    """The words of the next rows."""
    found: list[str] = []
    async for line in lines:
        if line.startswith("data: "):
            assert line.startswith("data: <tr>")
            found.append(said(line.removeprefix("data: ")))
        if len(found) == number:
            break
    return found


async def test_the_newest_first_in_words(operator: Browser, world: World) -> None:
    assert "Nothing like this among what came last." in await operator.text("/live")
    await world.order()
    org = await world.clinic("Adler Dental", agents=("a",))
    await world.failed(org, "TS-304", "a")
    await world.synced(org, "a", cause="recovered")
    await world.append(org, e.ToolUpdated(uuid4(), "platform", TOOL, "tool-1", 2, "b" * 64, "h", fleet_sequence=1))
    await world.append(org, e.AssistantDiverged("a", "assistant-a", 1, "c" * 64, 9))
    page = await operator.text("/live")
    told = [
        "is written once more Vapi shows an older version than the newest save Adler Dental a",
        f"has {TOOL} version 2 Adler Dental",
        "works again Adler Dental a",
        "failed TS-304 assistant without a model Adler Dental a",
    ]
    places = [page.index(words) for words in told]
    assert places == sorted(places)


async def test_filters_are_in_the_address_and_in_the_stream(operator: Browser, world: World) -> None:
    first, second = await world.clinic("Adler Dental"), await world.clinic("Bergmann")
    await world.failed(first, "TS-304")
    await world.failed(second, "TS-301")
    await world.synced(second)
    for query, there, gone in (
        (f"org={first}", "TS-304", "Bergmann"),
        ("code=TS-301", "TS-301", "Adler Dental"),
        ("type=ToolsSynced", "synced Bergmann", "Adler Dental"),
        ("type=ToolUpdated", "Nothing like this", "Bergmann"),
    ):
        page = await operator.get(f"/live?{query}")
        assert there in said(page.text)
        assert gone not in said(page.text)
        assert re.search(rf'data-live="/console/live/stream\?{query}&amp;after=\d+"', page.text)
    assert f"tool-sync tail --org {first}" in await operator.text(f"/live?org={first}")
    assert "tool-sync tail --type ToolUpdated" in await operator.text("/live?type=ToolUpdated")


@pytest.mark.parametrize("query", ["org=x", "type=Nothing", "code=" + "x" * 41, "code=%00"])
async def test_a_filter_that_cannot_be_read_is_told(operator: Browser, query: str) -> None:
    assert (await operator.get(f"/live?{query}")).status_code == 422
    assert (await operator.get(f"/live/stream?{query}")).status_code == 422


async def test_a_clinic_sees_its_own_alone(make_browser: Callable[[], Browser], signer: Signer, world: World) -> None:
    mine, other = await world.clinic("Adler Dental"), await world.clinic("Bergmann")
    await world.synced(mine)
    await world.synced(other)
    await say(world.log, e.RolloutStarted("r", TOOL, 1, (), "secret", None, fleet_sequence=1))
    clinic = make_browser()
    await clinic.client.post("/console/login", data={"token": signer.org_token(str(mine))})
    page = await clinic.text("/live")
    assert "synced Adler Dental" in page
    assert "Bergmann" not in page
    assert "rollout" not in page.replace("RolloutStarted", "").replace("RolloutEnded", "")
    assert (await clinic.get(f"/live?org={other}")).status_code == 404
    assert (await clinic.get(f"/live/stream?org={other}")).status_code == 404


async def test_outcomes_come_at_once_and_changes_soon(url: str, world: World, signer: Signer, tail: Tail) -> None:
    org = await world.clinic("Adler Dental")
    after = await world.head()
    async with streaming(url, signer.platform_token(), f"after={after}") as lines:
        await world.synced(org)
        (row,) = await rows(lines, 1)
        assert row.endswith("synced Adler Dental agent-1")
        await world.append(org, e.ToolUpdated(uuid4(), "platform", TOOL, "tool-1", 2, "b" * 64, "h", fleet_sequence=1))
        (row,) = await rows(lines, 1)
        assert row.endswith(f"has {TOOL} version 2 Adler Dental")


async def test_a_browser_that_comes_again_goes_on_where_it_was(url: str, world: World, signer: Signer) -> None:
    org = await world.clinic(agents=("a", "b"))
    await world.synced(org, "a")
    position = await world.head()
    await world.synced(org, "b")
    async with streaming(url, signer.platform_token(), "after=0", **{"Last-Event-ID": str(position)}) as lines:
        (row,) = await rows(lines, 1)
    assert row.endswith(" b")


async def test_who_was_away_gets_the_newest_fifty(
    url: str, world: World, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "SHOWN", 2)
    org = await world.clinic(agents=("a", "b", "c"))
    for agent in ("a", "b", "c"):
        await world.synced(org, agent)
    async with streaming(url, signer.platform_token()) as lines:
        found = await rows(lines, 2)
    assert [row[-1] for row in found] == ["b", "c"]


async def test_a_clinics_stream_is_its_own(url: str, world: World, signer: Signer) -> None:
    mine, other = await world.clinic(), await world.clinic()
    async with streaming(url, signer.org_token(str(mine))) as lines:
        await world.synced(other)
        await world.synced(mine)
        (row,) = await rows(lines, 1)
    assert str(mine) in row


async def test_a_stream_ends_in_time_and_nobody_streams_without_a_token(
    url: str, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "STREAM_SECONDS_MAX", 0.3)
    async with streaming(url, signer.platform_token()) as lines:
        assert [line async for line in lines] == ["retry: 1000"]
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{url}/console/live/stream")
    assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/console/login")


def test_the_stream_counts_as_one() -> None:
    assert lasts({"type": "http", "path": "/console/live/stream", "query_string": b""})
    assert not lasts({"type": "http", "path": "/console/live", "query_string": b""})


@pytest.mark.parametrize("name", HOSTILE)
async def test_names_are_text_in_the_page_and_in_the_stream(
    operator: Browser, url: str, world: World, signer: Signer, name: str
) -> None:
    agent = "<b>&\"'\n\ndata: x"
    org: UUID = await world.clinic(name, agents=(agent,))
    await world.append(org, save(agent, revision=2))
    await world.failed(org, "TS-<i>", agent)
    page = await operator.get("/live")
    assert len(page.content) < BYTES_MAX
    async with streaming(url, signer.platform_token()) as lines:
        async for line in lines:
            if line.startswith("data: "):
                break
    assert not line.startswith("data: x")
    for text in (page.text, line):
        assert "<script>alert" not in text
        assert "<b>&" not in text
        assert "<i>" not in text
