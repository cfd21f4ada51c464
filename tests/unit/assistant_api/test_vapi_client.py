"""How answers of Vapi's are read, and what a failed request says about itself."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import aiohttp
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from assistant_api import telemetry
from assistant_api.db import Database
from assistant_api.health import Health
from assistant_api.settings import Settings
from assistant_api.vapi import client
from assistant_api.vapi.answers import Found, Gone, Later, Refused, Unknown
from assistant_api.vapi.client import VapiClient
from assistant_api.vapi.key import Ticket, VapiKey
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.vapi import json as vapi_json
from zerotouch_platform.vapi.answers import OBJECT_BYTES_MAX, was_not_sent

PUBLIC_KEY = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


class _CountedKey(VapiKey):
    """A key that allows everything and counts what is asked of it."""

    asked = 0

    async def admit(self, *, save: bool) -> Ticket | Later:
        self.asked += 1
        return await super().admit(save=save)


def _client(
    answer: Callable[[httpx.Request], httpx.Response | Awaitable[httpx.Response]], **changes: Any
) -> VapiClient:
    settings = Settings(
        database_url="postgresql://u:p@h/d",
        kafka_bootstrap_servers="h:1",
        installation_id=UUID(int=1),
        vapi_base_url="http://vapi.test",
        vapi_api_key="key",
        jwt_public_key=PUBLIC_KEY.decode(),
        jwt_issuer="i",
        jwt_audience="a",
        read_retry_seconds=0.001,
        **changes,
    )

    async def unread(request: httpx.Request) -> httpx.Response:
        """As from the network: the body has not been read yet."""
        made = answer(request)
        made = made if isinstance(made, httpx.Response) else await made
        return httpx.Response(made.status_code, headers=made.headers, stream=httpx.ByteStream(made.content))

    key = _CountedKey(settings, Database(settings, Health()))  # no database: what is said of the key stays in memory
    return VapiClient(settings, telemetry.build(None), key, transport=httpx.MockTransport(unread))


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
        (400, {"json": {"message": "name must be short"}}, Refused(400, ("name must be short",), fields=("name",))),
        (408, {}, Unknown()),  # a proxy gave up waiting: it may have passed the request on
        (499, {}, Unknown()),
        (425, {}, Later(ErrorCode.VAPI_SERVER_ERROR)),
        (201, {"content": b'{"id": "abc-1", "name": "\\ud83d"}'}, Found({"id": "abc-1", "name": "\ud83d"})),
        (422, {"text": "<html>"}, Refused(422, ("Vapi answered with status 422 and no reason",))),
        (401, {}, Later(ErrorCode.VAPI_KEY_REFUSED, nobodys=True)),
        (402, {}, Later(ErrorCode.VAPI_PAYMENT_REQUIRED, nobodys=True)),
        (403, {}, Later(ErrorCode.VAPI_KEY_REFUSED, nobodys=True)),
        (409, {}, Later(ErrorCode.VAPI_CONFLICT)),
        (429, {"headers": {"Retry-After": "7"}}, Later(ErrorCode.VAPI_RATE_LIMITED, 7, nobodys=True)),
        (429, {"headers": {"Retry-After": "soon"}}, Later(ErrorCode.VAPI_RATE_LIMITED, nobodys=True)),
        (500, {"text": "<html>"}, Unknown()),
        (503, {"json": {"id": "abc"}}, Unknown()),
    ],
)
async def test_every_answer_to_a_write_has_a_meaning(status: int, content: dict[str, Any], expected: object) -> None:
    assert await _always(status, **content).create({}, Ticket()) == expected


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


def _caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def test_only_a_connection_that_was_never_made_means_not_sent() -> None:
    assert not was_not_sent(httpx.ConnectError("said by the transport of a lost connection, too"))
    assert was_not_sent(_caused(httpx.ConnectTimeout(""), aiohttp.ConnectionTimeoutError()))
    assert not was_not_sent(_caused(httpx.ConnectTimeout(""), aiohttp.ServerDisconnectedError()))
    assert not was_not_sent(_caused(httpx.ConnectError(""), aiohttp.ClientOSError(104, "reset by peer")))
    assert not was_not_sent(httpx.ReadTimeout(""))
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


async def test_an_assistant_that_is_too_large_is_refused_by_its_code_and_never_sent() -> None:
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.method)
        return httpx.Response(200, content=b'{"id":"x","name":"' + b"x" * OBJECT_BYTES_MAX + b'"}')

    client = _client(answer)
    for refused in (await client.get("x"), await client.create({"name": "x" * OBJECT_BYTES_MAX}, Ticket())):
        assert isinstance(refused, Refused)
        assert refused.code is ErrorCode.ASSISTANT_TOO_LARGE
    assert sent == ["GET"]
    assert await client.update("x", {}, Ticket()) == Unknown()  # it was done; what Vapi has now is looked up


async def test_a_number_goes_back_in_the_spelling_that_it_came_in() -> None:
    seen: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.content)
        return httpx.Response(200, content=b'{"id":"x","model":{"a":1e21,"b":250.0,"c":9007199254740993}}')

    client = _client(answer)
    found = await client.get("x")
    assert isinstance(found, Found)
    await client.update("x", {"model": found.assistant["model"]}, Ticket())
    assert seen[1] == b'{"model":{"a":1e21,"b":250.0,"c":9007199254740993}}'
    assert vapi_json.read(seen[1]) == {"model": found.assistant["model"]}


async def test_what_cannot_be_read_in_a_list_is_left_out_and_fails_nothing() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    client = _always(200, json=[None, 7, {"name": "no id"}, {"id": "x"}, []])
    assert await client.created_between(start, start + timedelta(seconds=1)) == [{"id": "x"}]
