"""The webhook on the wire: its body in every shape, where it goes, its headers and its proof."""

from __future__ import annotations

import hashlib
import hmac
import json
from itertools import product
from typing import Any

import pytest

from vapi_sandbox import DEFAULT_VAPI_ORG, BearerToken, HmacKey

from ..caller import Time
from .phone import URL, Phone, make_phone, tool


async def test_the_body_is_as_captured(phone: Phone, time: Time) -> None:
    assistant = await phone.assistant(tool(headers={"X-Own": "1"}), name="Reception")
    order = {"assistantId": assistant, "callId": "the-call", "customer": {"number": "+49301234"}}
    report = await phone.answered({"name": "book", "id": "call_1", "arguments": {"a": 1}}, **order)
    assert report["callId"] == "the-call"
    (request,), (message,) = phone.endpoint.requests, phone.endpoint.messages()
    called = {"id": "call_1", "type": "function", "function": {"name": "book", "arguments": {"a": 1, **STATIC}}}
    stored = (await phone.vapi.http.get(f"/assistant/{assistant}")).json()
    assert request.headers["content-type"] == "application/json"
    assert message == {
        "timestamp": int(time.seconds * 1000),
        "type": "tool-calls",
        "toolCalls": [called],
        "toolCallList": [called],
        "toolWithToolCallList": [
            {
                "type": "function",
                "async": False,
                "function": tool()["function"],
                "server": {"url": URL, "headers": {"X-Own": "1"}},
                "toolCall": called,
            }
        ],
        "call": {
            "id": "the-call",
            "orgId": DEFAULT_VAPI_ORG,
            "type": "inboundPhoneCall",
            "status": "in-progress",
            "assistantId": assistant,
            "createdAt": "2026-09-21T14:13:20.000Z",
        },
        "assistant": stored,
        "customer": {"number": "+49301234"},
        "phoneNumber": {},
        "artifact": {"messages": []},
        "assistantVersion": "v1",
    }


STATIC = {"organization_id": "org-1"}
ARGUMENT_PLACES = ("function.arguments", "function.parameters", "arguments", "parameters")


@pytest.mark.parametrize(
    ("name_at", "arguments_at", "arguments_as"),
    list(product(("function.name", "name"), ARGUMENT_PLACES, ("object", "string"))),
)
async def test_every_shape_that_sources_describe(
    phone: Phone, name_at: str, arguments_at: str, arguments_as: str
) -> None:
    await phone.vapi.turn(webhook={"name_at": name_at, "arguments_at": arguments_at, "arguments_as": arguments_as})
    assistant = await phone.assistant(tool())
    await phone.answered({"name": "book", "id": "call_1", "arguments": {"notes": "ü"}}, assistantId=assistant)
    (message,) = phone.endpoint.messages()
    (call,) = message["toolCallList"]
    assert message["toolCalls"] == [call]
    assert message["toolWithToolCallList"][0]["toolCall"] == call
    flat = {f"function.{key}": value for key, value in call.pop("function", {}).items()} | call
    arguments = flat.pop(arguments_at)
    assert flat == {"id": "call_1", "type": "function", name_at: "book"}
    assert isinstance(arguments, str) == (arguments_as == "string")
    assert (json.loads(arguments) if isinstance(arguments, str) else arguments) == {"notes": "ü", **STATIC}


async def test_ids_are_made_where_none_are_given(phone: Phone) -> None:
    assistant = await phone.assistant(tool())
    reports = [await phone.answered({"name": "book"}, {"name": "book"}, assistantId=assistant) for _ in range(2)]
    ids = [entry["id"] for report in reports for entry in report["toolCalls"]]
    assert len(set(ids)) == 4
    assert all(id_.startswith("call_") for id_ in ids)
    assert len({report["callId"] for report in reports}) == 2
    assert [[call["id"] for call in message["toolCallList"]] for message in phone.endpoint.messages()] == [
        ids[:2],
        ids[2:],
    ]


async def test_the_assistants_server_is_the_fallback(phone: Phone) -> None:
    fallback = {"url": "https://fallback.test/", "headers": {"x-from": "assistant"}}
    assistant = await phone.assistant(tool("book", None), tool("cancel"), server=fallback)
    await phone.answered({"name": "book"}, {"name": "cancel"}, assistantId=assistant)
    headers = {request.url.host: request.headers.get("x-from") for request in phone.endpoint.requests}
    assert headers == {"fallback.test": "assistant", "clinic.test": None}


async def test_without_any_server_the_model_hears_nothing(phone: Phone) -> None:
    entry = await phone.one(await phone.assistant(tool("book", None)))
    assert (entry["deliveries"], entry["heard"]) == ([], {"as": "nothing", "text": "No result returned."})
    assert entry["problems"] == ["neither the tool nor the assistant has a server.url, so there is no webhook"]


@pytest.mark.parametrize(("messages", "delivered"), [(["tool-calls"], 1), (["end-of-call-report"], 0), (None, 1)])
async def test_server_messages_without_tool_calls_stop_the_webhook(phone: Phone, messages: Any, delivered: int) -> None:
    entry = await phone.one(await phone.assistant(tool(), serverMessages=messages))
    assert len(phone.endpoint.requests) == delivered
    assert entry["heard"]["as"] == ("result" if delivered else "nothing")


async def test_without_a_credential_nothing_is_signed(phone: Phone) -> None:
    await phone.one(await phone.assistant(tool()))
    assert {"authorization", "x-signature", "x-timestamp"}.isdisjoint(phone.endpoint.requests[0].headers)


async def test_a_bearer_token_is_sent(time: Time) -> None:
    phone = make_phone(time, BearerToken("the-token"))
    await phone.one(await phone.assistant(tool()))
    assert phone.endpoint.requests[0].headers["authorization"] == "Bearer the-token"


@pytest.mark.parametrize(("unit", "timestamp"), [("s", "1790000000"), ("ms", "1790000000000")])
async def test_an_hmac_covers_the_time_and_the_raw_body(time: Time, unit: str, timestamp: str) -> None:
    phone = make_phone(time, HmacKey("the-key"))
    await phone.vapi.turn(webhook={"timestamp_unit": unit})
    await phone.one(await phone.assistant(tool(), name="Zürich"))
    (request,) = phone.endpoint.requests
    expected = hmac.digest(b"the-key", timestamp.encode() + b"." + request.content, hashlib.sha256).hex()
    assert (request.headers["x-timestamp"], request.headers["x-signature"]) == (timestamp, expected)


async def test_the_tools_own_headers_are_sent_and_replace_the_credential(time: Time) -> None:
    phone = make_phone(time, BearerToken("the-token"))
    await phone.one(await phone.assistant(tool(headers={"Authorization": "Basic own", "X-Installation": "ü"})))
    headers = phone.endpoint.requests[0].headers
    assert headers.get_list("authorization") == ["Basic own"]
    assert dict(headers.raw)[b"X-Installation"] == "ü".encode()


def test_a_credential_does_not_show_itself() -> None:
    assert f"{BearerToken('hidden')!r} {HmacKey('hidden')!r}" == "BearerToken() HmacKey()"
