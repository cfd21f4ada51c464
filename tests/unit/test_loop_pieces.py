"""What a tenant can have read, written or hashed does not keep an event loop for longer than 50 ms at a time."""

import asyncio
import inspect
import json
import time
from collections.abc import Callable
from typing import Final

import httpx
import pytest
from fastapi import FastAPI
from tests.support.pieces import PIECE_SECONDS_MAX, cpu_seconds, longest_piece, slowness
from tests.unit.assistant_api.test_needs import served as assistant_api_served
from tests.unit.tool_sync.test_needs import served as tool_sync_served

from assistant_api.limits import WEBHOOK_BYTES_MAX, WEBHOOK_VALUES_MAX
from assistant_api.tool_calls.payload import CALLS_READ_MAX, read_tool_calls, read_tool_calls_aside
from zerotouch_contracts.canonical import canonical_hash
from zerotouch_platform.strict_json import has_more_values
from zerotouch_platform.vapi import json as vapi_json
from zerotouch_platform.vapi.answers import BODY_BYTES_MAX, MESSAGES_MAX, words_of
from zerotouch_platform.warm_up import warm_up

apps = {"tool-sync": tool_sync_served, "assistant-api": assistant_api_served}


def _seconds(work: Callable[[], object]) -> float:
    return min(cpu_seconds(work) for _ in range(3)) / slowness()


def _list_of(item: str, bytes_max: int, values_max: int = vapi_json.VALUES_MAX) -> bytes:
    count = min(values_max - 20, (bytes_max - 200) // (len(item) + 1))
    return f'{{"id":"a","model":{{"x":[{",".join([item] * count)}]}}}}'.encode()


DOCUMENTS: Final = {
    "long integers": _list_of("7" * 3990, BODY_BYTES_MAX),
    "integers of the length that fits": _list_of("7" * 300, BODY_BYTES_MAX),
    "huge floats": _list_of("1e300", BODY_BYTES_MAX),
    "objects": _list_of('{"a":{}}', BODY_BYTES_MAX, vapi_json.VALUES_MAX // 3),
    "one number": _list_of("7" * (BODY_BYTES_MAX - 300), BODY_BYTES_MAX),
    "half an emoji in digits": _list_of(f'"\\ud83d{"7" * (BODY_BYTES_MAX - 300)}"', BODY_BYTES_MAX),
}
"""What an account's assistants may hold, as a clinic's own account is the clinic's."""


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_a_document_of_vapis_is_read_hashed_and_written_in_short_pieces(name: str) -> None:
    raw = DOCUMENTS[name]
    assert len(raw) <= BODY_BYTES_MAX
    assert await longest_piece(lambda: vapi_json.read_aside(raw)) < PIECE_SECONDS_MAX
    document = await vapi_json.read_aside(raw)
    assert _seconds(lambda: canonical_hash(document)) < PIECE_SECONDS_MAX
    assert _seconds(lambda: vapi_json.write(document)) < PIECE_SECONDS_MAX


@pytest.mark.parametrize("item", ['"",', '"\\"",', '"\\\\",', "1,", '"'])
def test_what_has_too_many_values_is_refused_soon(item: str) -> None:
    raw = b"[" + (item * (WEBHOOK_BYTES_MAX // len(item) - 2)).encode() + b"1]"
    assert _seconds(lambda: has_more_values(raw, WEBHOOK_VALUES_MAX)) < PIECE_SECONDS_MAX


@pytest.mark.parametrize(
    ("item", "separators"),
    [
        ('"a"', 1),
        ('"\\""', 1),
        ('"\\\\"', 1),
        ('"\\\\\\""', 1),
        ('",[{"', 1),
        ('"\\u005c"', 1),
        ('{"a,":"[b"}', 2),
        ("[[1]]", 3),
    ],
)
def test_values_are_counted_as_json_has_them(item: str, separators: int) -> None:
    raw = f"[{','.join([item] * 50)}]".encode()
    assert len(json.loads(raw)) == 50
    assert not has_more_values(raw, 50 * separators)
    assert has_more_values(raw, 50 * separators - 1)


def _webhook(**message: object) -> bytes:
    return json.dumps({"message": {"type": "tool-calls", "call": {"id": "c"}, **message}}).encode()


async def test_others_are_served_while_a_long_webhook_is_read() -> None:
    word = {"word": "abcdefgh", "start": 1.25, "end": 2.5, "confidence": 0.987654}
    call = {"id": "1", "function": {"name": "bookClinicAppointment", "arguments": {}}}
    raw = _webhook(artifact=[word] * 39_000, toolCallList=[call])
    assert len(raw) <= WEBHOOK_BYTES_MAX
    assert await longest_piece(lambda: read_tool_calls_aside(raw)) < PIECE_SECONDS_MAX / 5
    assert (await read_tool_calls_aside(raw)).calls == read_tool_calls(raw).calls


def test_of_the_calls_of_a_message_so_many_are_looked_at() -> None:
    raw = _webhook(toolCallList=[{"id": number} for number in range(60_000)])
    assert len(read_tool_calls(raw).calls) == CALLS_READ_MAX
    assert _seconds(lambda: read_tool_calls(raw)) < 2 * _seconds(lambda: json.loads(raw)) + PIECE_SECONDS_MAX


def test_of_the_messages_of_a_refusal_so_many_are_looked_at() -> None:
    raw = json.dumps(
        {"message": [f"property {'x' * 300} {number} should not exist" for number in range(9_900)]}
    ).encode()
    assert len(words_of(raw).messages) == MESSAGES_MAX
    assert _seconds(lambda: words_of(raw)) < PIECE_SECONDS_MAX


async def test_an_item_of_a_list_has_no_more_values_than_a_document() -> None:
    large = b'{"id":"large","metadata":[' + b"{}," * 200_000 + b"1]}"
    found = await vapi_json.read_list_aside(b'[{"id":"a"},' + large + b',{"id":"b"}]')
    assert (found[0], found[2]) == ({"id": "a"}, {"id": "b"})
    assert isinstance(found[1], vapi_json.UnreadableItem)


@pytest.fixture(params=apps)
def app(request: pytest.FixtureRequest) -> FastAPI:
    built: FastAPI = inspect.unwrap(apps[request.param])().app  # a new one, not the fixture's: it is prepared once
    return built


@pytest.mark.parametrize("asked", ["a path", "the document"])
async def test_the_first_request_finds_everything_prepared(app: FastAPI, asked: str) -> None:
    path = "/nothing" if asked == "a path" else app.openapi_url
    assert path is not None
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        await client.get("/livez")  # what the client needs for its own first request
        await asyncio.to_thread(warm_up, app)
        slower = slowness()
        began = time.thread_time()
        await client.get(path)
        assert (time.thread_time() - began) / slower < PIECE_SECONDS_MAX / 2
