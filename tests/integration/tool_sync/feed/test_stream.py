"""``GET /v1/events/stream`` over a real socket: server-sent events need one, as their answer has no end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
from pydantic_core import from_json

from devstack.tokens import Signer
from tool_sync.http import stream
from tool_sync.http.app import build
from tool_sync.http.state import HttpState
from tool_sync.log import EventLog
from tool_sync.outcomes.feed import Tail
from zerotouch_platform import telemetry
from zerotouch_platform.revoked_tokens import revoke
from zerotouch_platform.server import HttpServer, bind

from .making import did, failed, registered, synced


@pytest.fixture
async def url(state: HttpState) -> AsyncIterator[str]:
    """The address of a running server."""
    server = HttpServer(build(state, telemetry.off()), bind("127.0.0.1", 0))
    running = asyncio.create_task(server.run_forever())
    yield f"http://127.0.0.1:{server.port}"
    server.stop()
    await running


@asynccontextmanager
async def streaming(
    url: str, token: str, query: str = "", **headers: str
) -> AsyncIterator[AsyncIterator[dict[str, str]]]:
    """The blocks of a stream, each as its fields; a comment's field has no name."""
    async with (
        httpx.AsyncClient(timeout=20) as client,
        client.stream(
            "GET", f"{url}/v1/events/stream?{query}", headers={"Authorization": f"Bearer {token}", **headers}
        ) as answer,
    ):
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _blocks(answer)


async def _blocks(answer: httpx.Response) -> AsyncIterator[dict[str, str]]:
    block: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(":")
            block[name] = value.strip()
        else:
            yield block
            block = {}


async def events(blocks: AsyncIterator[dict[str, str]], number: int) -> list[dict[str, Any]]:
    """The next events of a stream, which may have comments between them."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(15):
        async for block in blocks:
            if "data" in block:
                document = from_json(block["data"])
                assert block["id"] == str(document["position"])
                found.append(document)
            if len(found) == number:
                break
    return found


async def test_first_what_was_and_then_what_happens(
    url: str, event_log: EventLog, signer: Signer, tail: Tail, eventually: Any
) -> None:
    org = uuid4()
    await event_log.append(did(org, synced(1), failed(2)))
    async with streaming(url, signer.platform_token()) as blocks:
        assert [event["position"] for event in await events(blocks, 2)] == [1, 2]

        async def waits() -> bool:
            return tail.waiting == 1

        await eventually(waits)
        await event_log.append_all([registered(org), did(org, synced(3))])
        (event,) = await events(blocks, 1)
        assert (event["position"], event["data"]["sequence"]) == (4, 3)


async def test_it_goes_on_after_the_last_event_id(url: str, event_log: EventLog, signer: Signer) -> None:
    org, other = uuid4(), uuid4()
    await event_log.append_all([did(org, synced(1), synced(2)), did(other, synced(1)), did(org, synced(3))])
    token = signer.org_token(str(org))
    async with streaming(url, token, "after=0", **{"Last-Event-ID": "1"}) as blocks:
        assert [event["position"] for event in await events(blocks, 2)] == [2, 4]


async def test_a_heartbeat_moves_the_id_past_what_a_filter_leaves_out(
    url: str, event_log: EventLog, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.05)
    await event_log.append(did(uuid4(), synced(1), synced(2)))
    async with streaming(url, signer.platform_token(), "type=ToolSyncFailed") as blocks, asyncio.timeout(10):
        async for block in blocks:
            if block.get("id") == "2":
                assert "data" not in block
                break


async def test_it_ends_without_another_event_once_its_token_is_taken_back(
    url: str, state: HttpState, event_log: EventLog, signer: Signer, tail: Tail, eventually: Any
) -> None:
    assert state.pool is not None
    org, token = uuid4(), signer.platform_token()
    jti = jwt.decode(token, options={"verify_signature": False})["jti"]
    async with streaming(url, token) as blocks, streaming(url, signer.platform_token()) as others:

        async def wait() -> bool:
            return tail.waiting == 2

        await eventually(wait)
        async with state.pool.acquire() as connection:
            until = datetime.now(UTC) + timedelta(hours=1)
            assert await revoke(connection, jti, until, by="operator:test", reason="a test's")
        await state.verifier.revoked.read(state.pool.acquire)
        await event_log.append(did(org, synced(1)))
        async with asyncio.timeout(10):
            told = [block async for block in blocks]
        assert told[-1] == {"": "ends: the token was taken back"}
        assert not any("data" in block for block in told)
        assert len(await events(others, 1)) == 1


async def test_it_ends_when_the_process_stops(url: str, signer: Signer, tail: Tail, eventually: Any) -> None:
    async with streaming(url, signer.platform_token()) as blocks:

        async def waits() -> bool:
            return tail.waiting == 1

        await eventually(waits)
        tail.stop()
        async with asyncio.timeout(2):
            assert [block async for block in blocks] == [{"retry": "1000"}]


async def test_it_ends_after_its_time_so_that_a_token_is_looked_at_again(
    url: str, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "STREAM_SECONDS_MAX", 0.2)
    async with streaming(url, signer.platform_token()) as blocks, asyncio.timeout(5):
        found = [block async for block in blocks]
        assert found[0] == {"retry": "1000"}


@pytest.mark.parametrize("last", ["-1", "x"])
async def test_a_malformed_last_event_id_is_a_problem(url: str, signer: Signer, last: str) -> None:
    headers = {"Authorization": f"Bearer {signer.platform_token()}", "Last-Event-ID": last}
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{url}/v1/events/stream", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "TS-901")
