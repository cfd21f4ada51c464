"""How answers of Vapi's are read, and what a failed request says about itself."""

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import aiohttp
import httpx
import pytest
import structlog
from aiohttp.client_reqrep import ConnectionKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.support.over_httpx import OverHttpx
from tests.support.raw_server import ok, server

from assistant_api import telemetry
from assistant_api.app.composition import new_health
from assistant_api.db import Database
from assistant_api.settings import Settings
from assistant_api.vapi import client
from assistant_api.vapi.answers import Found, Gone, Later, Refused, Unknown
from assistant_api.vapi.client import VapiClient
from assistant_api.vapi.key import Ticket, VapiKey
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.vapi.answers import was_not_sent

PUBLIC_KEY = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


class _CountedKey(VapiKey):
    """A key that allows everything and counts what is asked of it."""

    asked = 0

    async def admit(self, *, save: bool) -> Ticket | Later:
        self.asked += 1
        return await super().admit(save=save)


def _client(
    answer: Callable[[httpx.Request], httpx.Response | Awaitable[httpx.Response]] | None, **changes: Any
) -> VapiClient:
    """Without ``answer`` over a real socket."""
    settings = Settings(
        database_url="postgresql://u:p@h/d",
        kafka_bootstrap_servers="h:1",
        installation_id=UUID(int=1),
        vapi_api_key="key",
        jwt_public_key=PUBLIC_KEY.decode(),
        jwt_issuer="i",
        jwt_audience="a",
        read_retry_seconds=0.001,
        **{"vapi_base_url": "https://vapi.test", **changes},
    )
    # No database: what is said of the key stays in memory.
    key = _CountedKey(settings, Database(settings, new_health()), "fingerprint", None)
    transport = None if answer is None else OverHttpx(httpx.MockTransport(answer))  # type: ignore[arg-type]
    return VapiClient(settings, telemetry.set_up(None), key, lambda: "key", transport=transport)


def _always(status: int, **content: Any) -> VapiClient:
    return _client(lambda _: httpx.Response(status, **content))


@pytest.mark.parametrize(
    ("status", "content", "expected"),
    [
        (201, {"json": {"id": "abc-1"}}, Found({"id": "abc-1"})),
        (201, {"json": {}}, Unknown(ErrorCode.VAPI_ANSWER_INVALID)),
        (201, {"json": {"id": "../../x"}}, Unknown(ErrorCode.VAPI_ANSWER_INVALID)),
        (201, {"json": []}, Unknown(ErrorCode.VAPI_ANSWER_INVALID)),
        (201, {"text": "<html>"}, Unknown(ErrorCode.VAPI_ANSWER_INVALID)),
        (201, {"content": b"\xff"}, Unknown(ErrorCode.VAPI_ANSWER_INVALID)),
        (302, {}, Unknown()),
        (404, {}, Gone()),
        (400, {"json": {"message": ["a", "b"]}}, Refused(400, ("a", "b"))),
        (400, {"json": {"message": "a\x00b"}}, Refused(400, ("a b",))),
        (422, {"text": "<html>"}, Refused(422, ("Vapi answered with status 422 and no reason",))),
        (401, {}, Later(ErrorCode.VAPI_KEY_REFUSED, counts_as_attempt=False)),
        (402, {}, Later(ErrorCode.VAPI_PAYMENT_REQUIRED, counts_as_attempt=False)),
        (403, {}, Later(ErrorCode.VAPI_KEY_REFUSED, counts_as_attempt=False)),
        (408, {}, Unknown()),
        (408, {"headers": {"Retry-After": "7"}}, Unknown()),
        (409, {}, Later(ErrorCode.VAPI_CONFLICT)),
        (425, {"headers": {"Retry-After": "7"}}, Later(ErrorCode.VAPI_SERVER_ERROR, 7)),
        (204, {}, Unknown(ErrorCode.VAPI_ANSWER_INVALID)),
        (201, {"json": {"id": "a" * 65}}, Unknown(ErrorCode.VAPI_ANSWER_INVALID)),
        (201, {"content": b"[" * 5000}, Unknown(ErrorCode.VAPI_ANSWER_INVALID)),
        (429, {"headers": {"Retry-After": "86400"}}, Later(ErrorCode.VAPI_RATE_LIMITED, 3600, counts_as_attempt=False)),
        (429, {"headers": {"Retry-After": "٣".encode()}}, Later(ErrorCode.VAPI_RATE_LIMITED, counts_as_attempt=False)),
        (429, {"headers": {"Retry-After": "7"}}, Later(ErrorCode.VAPI_RATE_LIMITED, 7, counts_as_attempt=False)),
        (429, {"headers": {"Retry-After": "soon"}}, Later(ErrorCode.VAPI_RATE_LIMITED, counts_as_attempt=False)),
        (500, {"text": "<html>"}, Unknown()),
        (503, {"json": {"id": "abc"}}, Unknown()),
    ],
)
async def test_every_answer_to_a_write_has_a_meaning(status: int, content: dict[str, Any], expected: object) -> None:
    assert await _always(status, **content).create({}, Ticket()) == expected


async def test_an_assistant_that_is_too_large_to_be_read_is_refused_with_a_code_and_a_write_of_it_is_looked_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "BODY_BYTES_MAX", 100)
    large = _always(200, json={"id": "abc-1", "name": "x" * 200})

    read = await large.get("abc-1")

    assert isinstance(read, Refused)
    assert read.code is ErrorCode.ASSISTANT_TOO_LARGE
    assert read.code is ErrorCode.ASSISTANT_TOO_LARGE
    assert await large.update("abc-1", {}, Ticket()) == Unknown(ErrorCode.VAPI_ANSWER_INVALID)
    assert _tries(large) == 1


@pytest.mark.parametrize("content", [{}, {"json": {}}, {"json": {"id": "abc-1"}}, {"json": []}])
async def test_a_deletion_is_done_whatever_its_success_says(content: dict[str, Any]) -> None:
    assert await _always(200, **content).delete("abc-1", Ticket()) == Found({"id": "abc-1"})
    assert isinstance(await _always(200, text="<html>").delete("abc-1", Ticket()), Unknown)


async def test_an_answer_that_is_compressed_unasked_is_read() -> None:
    packed = {"content-encoding": "gzip"}
    assert await _always(200, content=gzip.compress(b'{"id":"x"}'), headers=packed).get("x") == Found({"id": "x"})


@pytest.mark.parametrize(
    ("status", "expected", "paused"),
    [
        ("401 Unauthorized", Later(ErrorCode.VAPI_KEY_REFUSED, 7, counts_as_attempt=False), ErrorCode.VAPI_KEY_REFUSED),
        (
            "402 Payment Required",
            Later(ErrorCode.VAPI_PAYMENT_REQUIRED, 7, counts_as_attempt=False),
            ErrorCode.VAPI_PAYMENT_REQUIRED,
        ),
        (
            "429 Too Many Requests",
            Later(ErrorCode.VAPI_RATE_LIMITED, 7, counts_as_attempt=False),
            ErrorCode.VAPI_RATE_LIMITED,
        ),
        ("404 Not Found", Gone(), None),
        ("503 Oops", Unknown(), None),
        ("200 OK", Unknown(ErrorCode.VAPI_ANSWER_INVALID), None),
    ],
)
async def test_a_body_that_cannot_be_unpacked_leaves_its_status_what_it_is(
    status: str, expected: object, paused: ErrorCode | None
) -> None:
    garbage = ok(b"not packed", "Content-Encoding: gzip", "Retry-After: 7", status=status)
    async with server(garbage) as (url, _):
        client = _client(None, vapi_base_url=url)
        assert await client.update("x", {}, Ticket()) == expected
        await client.close()

    admitted = await client.key.admit(save=True)
    assert (admitted.code if isinstance(admitted, Later) else None) == paused


async def test_what_vapi_stores_goes_through_a_read_and_a_write() -> None:
    sent: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.content)
        return httpx.Response(200, content=b'{"id":"x","n":[1e21,250.0,1E400],"s":"\x01\\ud83d"}')

    found = await _client(answer).get("x")
    assert isinstance(found, Found)
    await _client(answer).update("x", found.assistant, Ticket())

    assert sent[1] == b'{"id":"x","n":[1e21,250.0,1E400],"s":"\\u0001\\ud83d"}'


async def test_an_unreadable_object_in_a_list_is_left_out_and_hides_none() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    raw = b'[{"id":"a"},null,{"name":"no id"},{"x":' + b"[" * 5000 + b"]" * 5000 + b'},{"id":"b"}]'

    with structlog.testing.capture_logs() as logs:
        found = await _always(200, content=raw).created_between(start, start + timedelta(seconds=1))

    assert found == [{"id": "a"}, {"id": "b"}]
    assert [(line["event"], line["count"]) for line in logs] == [("vapi_list_items_unreadable", 3)]


def test_a_log_gets_of_a_refusal_the_paths_of_fields_only() -> None:
    assert Refused(400, ("model.provider must be one of: a", "Erika Muster is wrong")).fields == ("model.provider",)


async def test_an_unclear_answer_to_a_read_is_only_a_reason_to_read_again() -> None:
    assert await _always(500).get("x") == Later(ErrorCode.VAPI_SERVER_ERROR)
    assert await _always(200, text="{").get("x") == Later(ErrorCode.VAPI_ANSWER_INVALID)


def _tries(client: VapiClient) -> int:
    assert isinstance(client.key, _CountedKey)
    return client.key.asked


@pytest.mark.parametrize("failure", [httpx.Response(500), httpx.Response(200, text="{"), httpx.ConnectError("no")])
async def test_a_read_is_tried_three_times_and_each_try_takes_a_request_of_the_keys(
    failure: httpx.Response | Exception,
) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        if isinstance(failure, Exception):
            raise failure
        return failure

    client = _client(answer)

    assert isinstance(await client.get("x"), Later)

    assert _tries(client) == 3


async def test_a_read_that_fails_twice_still_finds_what_it_looks_for() -> None:
    answers = [httpx.Response(503), httpx.Response(503), httpx.Response(200, json={"id": "x"})]
    assert await _client(lambda _: answers.pop(0)).get("x") == Found({"id": "x"})


async def test_a_list_is_read_with_as_many_tries() -> None:
    answers = [httpx.Response(503), httpx.Response(503), httpx.Response(200, json=[{"id": "x"}])]
    start = datetime(2026, 1, 1, tzinfo=UTC)
    found = await _client(lambda _: answers.pop(0)).created_between(start, start + timedelta(seconds=1))
    assert found == [{"id": "x"}]


@pytest.mark.parametrize(
    ("status", "headers"), [(404, {}), (400, {}), (401, {}), (402, {}), (429, {}), (408, {"Retry-After": "7"})]
)
async def test_what_waiting_a_moment_does_not_mend_is_asked_once(status: int, headers: dict[str, str]) -> None:
    client = _always(status, headers=headers)
    await client.get("x")
    assert _tries(client) == 1


async def test_the_tries_of_a_read_share_one_deadline() -> None:
    asked: list[object] = []

    async def never(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    client = _client(never, vapi_deadline_seconds=0.05)
    assert isinstance(await client.get("x"), Later)
    assert len(asked) == 1


async def test_a_write_is_sent_once_whatever_comes_of_it() -> None:
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.method)
        return httpx.Response(503)

    client = _client(answer)
    assert await client.create({}, Ticket()) == Unknown()
    assert await client.update("x", {}, Ticket()) == Unknown()
    assert sent == ["POST", "PATCH"]


async def test_a_lone_surrogate_in_a_document_survives_the_way_back() -> None:
    seen: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.content)
        return httpx.Response(200, json={"id": "x"})

    await _client(answer).update("x", {"firstMessage": "\ud800"}, Ticket())

    assert json.loads(seen[0]) == {"firstMessage": "\ud800"}


def test_only_a_connection_that_was_never_made_means_not_sent() -> None:
    key = ConnectionKey("vapi", 443, True, True, None, None, None)
    assert was_not_sent(aiohttp.ClientConnectorError(key, OSError("no route")))
    assert was_not_sent(aiohttp.ConnectionTimeoutError())
    assert not was_not_sent(aiohttp.ServerDisconnectedError())
    assert not was_not_sent(aiohttp.ClientOSError(104, "reset by peer"))
    assert not was_not_sent(aiohttp.SocketTimeoutError())
    assert not was_not_sent(TimeoutError())


async def test_a_full_page_of_a_list_is_halved_until_every_part_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LIST_LIMIT", 10)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    there = [{"id": f"a{n}", "createdAt": start + timedelta(seconds=n)} for n in range(64)]

    def answer(request: httpx.Request) -> httpx.Response:
        low, high = (datetime.fromisoformat(request.url.params[key]) for key in ("createdAtGe", "createdAtLt"))
        page = [item["id"] for item in there if low <= item["createdAt"] < high][:10]  # type: ignore[operator]
        return httpx.Response(200, json=[{"id": each} for each in page])

    found = await _client(answer).created_between(start, start + timedelta(seconds=64))

    assert isinstance(found, list)
    assert sorted(item["id"] for item in found) == sorted(str(item["id"]) for item in there)


async def test_a_pause_that_could_not_be_told_to_the_others_says_how_long_it_lasts() -> None:
    """Nobody leaves that key's work alone, so whoever has claimed some waits by itself."""
    client = _always(401)
    await client.get("a")
    stale = client.key.stale(Ticket())
    assert stale is not None
    assert (stale.code, stale.counts_as_attempt) == (ErrorCode.VAPI_KEY_REFUSED, False)
    assert 50 < stale.wait_seconds <= 60
