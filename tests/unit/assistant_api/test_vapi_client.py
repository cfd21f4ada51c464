"""How answers of Vapi's are read, and what a failed request says about itself."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import aiohttp
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from assistant_api import telemetry
from assistant_api.document import Mark
from assistant_api.provisioner.lost import find_lost
from assistant_api.settings import Settings
from assistant_api.vapi import client
from assistant_api.vapi.answers import Found, Gone, Later, Refused, Unknown
from assistant_api.vapi.client import VapiClient, was_not_sent
from zerotouch_contracts.errors import ErrorCode

PUBLIC_KEY = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _client(answer: Callable[[httpx.Request], httpx.Response]) -> VapiClient:
    settings = Settings(
        database_url="postgresql://u:p@h/d",
        kafka_bootstrap_servers="h:1",
        installation_id=UUID(int=1),
        vapi_base_url="http://vapi.test",
        vapi_api_key="key",
        jwt_public_key=PUBLIC_KEY.decode(),
        jwt_issuer="i",
        jwt_audience="a",
    )
    return VapiClient(settings, telemetry.build(None), transport=httpx.MockTransport(answer))


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
        (401, {}, Later(ErrorCode.VAPI_KEY_REFUSED)),
        (402, {}, Later(ErrorCode.VAPI_PAYMENT_REQUIRED)),
        (403, {}, Later(ErrorCode.VAPI_KEY_REFUSED)),
        (409, {}, Later(ErrorCode.VAPI_CONFLICT)),
        (429, {"headers": {"Retry-After": "7"}}, Later(ErrorCode.VAPI_RATE_LIMITED, 7)),
        (429, {"headers": {"Retry-After": "soon"}}, Later(ErrorCode.VAPI_RATE_LIMITED)),
        (500, {"text": "<html>"}, Unknown()),
        (503, {"json": {"id": "abc"}}, Unknown()),
    ],
)
async def test_every_answer_to_a_write_has_a_meaning(status: int, content: dict[str, Any], expected: object) -> None:
    assert await _always(status, **content).create({}) == expected


async def test_an_unclear_answer_to_a_read_is_only_a_reason_to_read_again() -> None:
    assert await _always(500).get("x") == Later(ErrorCode.VAPI_SERVER_ERROR)
    assert await _always(200, text="{").get("x") == Later(ErrorCode.VAPI_ANSWER_INVALID)


async def test_a_lone_surrogate_in_a_document_survives_the_way_back() -> None:
    seen: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.content)
        return httpx.Response(200, json={"id": "x"})

    await _client(answer).update("x", {"firstMessage": "\ud800"})

    assert json.loads(seen[0]) == {"firstMessage": "\ud800"}


def _caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def test_only_a_connection_that_was_never_made_means_not_sent() -> None:
    assert was_not_sent(httpx.ConnectError("no route"))
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


async def test_of_several_lost_assistants_the_oldest_is_taken() -> None:
    mark = Mark(UUID(int=1), UUID(int=2), "a")
    items = [
        {"id": "young", "createdAt": "2026-01-01T00:00:02.000Z", "metadata": mark.metadata()},
        {"id": "old", "createdAt": "2026-01-01T00:00:01.000Z", "metadata": mark.metadata()},
        {"id": "older", "createdAt": "2026-01-01T00:00:00.000Z", "metadata": {**mark.metadata(), "agent_id": "b"}},
    ]
    found = await find_lost(_always(200, json=items), mark, age_seconds=30, window_minutes=10)
    assert isinstance(found, dict)
    assert found["id"] == "old"
    assert await find_lost(_always(200, json=[]), mark, age_seconds=30, window_minutes=10) is None
    assert isinstance(await find_lost(_always(500), mark, age_seconds=30, window_minutes=10), Later)
