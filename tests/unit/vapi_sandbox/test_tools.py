"""Tools: what is accepted, what is stored, what a change replaces."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from vapi_sandbox.tool_rules import TOOL_TYPES

from .caller import Caller, Time, tool_body


async def test_a_new_tool_has_the_servers_fields(vapi: Caller) -> None:
    tool = await vapi.tool("book")
    assert UUID(tool["id"]).version == 4
    assert tool["orgId"] == "5a4db0c5-0000-4000-8000-000000000001"
    assert tool["createdAt"] == tool["updatedAt"] == "2026-09-21T14:13:20.000Z"
    assert tool["latestVersion"] == "v1"
    assert tool["function"]["name"] == "book"


async def test_the_same_body_twice_makes_two_tools(vapi: Caller) -> None:
    headers = {"Idempotency-Key": "one", "If-Match": "v1"}
    answers = [await vapi.http.post("/tool", json=tool_body(), headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["id"] != answers[1].json()["id"]


async def test_every_problem_is_reported_at_once(vapi: Caller) -> None:
    body = {
        "type": "function",
        "name": "no",
        "async": "yes",
        "function": {"name": "not a name", "title": "no"},
        "server": {"method": "POST", "timeoutSeconds": 301, "secret": "no"},
        "messages": [{"type": "request-start", "content": "x" * 1001}],
        "parameters": [{"value": 1}],
        "idempotencyKey": "no",
    }
    assert set(await vapi.problems("/tool", body)) == {
        "property name should not exist",
        "property idempotencyKey should not exist",
        "async must be a boolean value",
        "function.property title should not exist",
        "function.name must match ^[a-zA-Z0-9_-]{1,64}$ regular expression",
        "server.property method should not exist",
        "server.property secret should not exist",
        "server.timeoutSeconds must not be greater than 300",
        "messages.0.content must be shorter than or equal to 1000 characters",
        "parameters.0.key must be a string",
    }


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"type": "nothing"}, "type must be one of the following values: " + ", ".join(TOOL_TYPES)),
        ({"type": None}, "type must be a string"),
        ({"function": {}}, "function.name must be a string"),
        ({"function": {"name": "n" * 65}}, "function.name must be shorter than or equal to 64 characters"),
        ({"function": {"name": "n", "parameters": {}}}, "function.parameters.properties must be an object"),
        ({"server": {"timeoutSeconds": 0}}, "server.timeoutSeconds must not be less than 1"),
        ({"server": {"timeoutSeconds": True}}, "server.timeoutSeconds must not be greater than 300"),
        ({"server": "https://x"}, "server must be an object"),
        ({"messages": {}}, "messages must be an array"),
        ({"id": "mine"}, "property id should not exist"),
    ],
)
async def test_a_wrong_field_is_named(vapi: Caller, change: dict[str, Any], sentence: str) -> None:
    assert sentence in await vapi.problems("/tool", {**tool_body(), **change})


async def test_below_properties_and_headers_anything_goes(vapi: Caller) -> None:
    function = {
        "name": "n",
        "parameters": {"type": "object", "properties": {"a": {"type": "string", "default": 1, "x-own": [None]}}},
    }
    tool = await vapi.tool(function=function, server={"url": "https://x", "headers": {"X-Any": {"deep": True}}})
    assert tool["function"] == function


async def test_a_null_field_counts_as_not_given(vapi: Caller) -> None:
    assert (await vapi.tool(server=None, messages=None))["server"] is None


async def test_other_types_of_tools_are_kept_as_they_are(vapi: Caller) -> None:
    body = {"type": "transferCall", "destinations": [{"number": "+15550100"}], "unknown": {"kept": [1.5, None]}}
    made = await vapi.create("/tool", body)
    assert {name: made[name] for name in body} == body
    answer = await vapi.http.patch(f"/tool/{made['id']}", json={"destinations": []})
    assert answer.json()["destinations"] == []
    assert answer.json()["unknown"] == body["unknown"]


async def test_a_change_replaces_named_fields_whole_and_no_others(vapi: Caller, time: Time) -> None:
    made = await vapi.tool(server={"url": "https://a", "timeoutSeconds": 5})
    time.pass_(1)
    changed = (await vapi.http.patch(f"/tool/{made['id']}", json={"server": {"url": "https://b"}})).json()
    assert changed["server"] == {"url": "https://b"}
    assert changed["function"] == made["function"]
    assert changed["createdAt"] == made["createdAt"]
    assert changed["updatedAt"] == "2026-09-21T14:13:21.000Z"
    assert changed["latestVersion"] == "v2"


async def test_a_change_without_a_difference_makes_no_new_version(vapi: Caller) -> None:
    made = await vapi.tool()
    for body in ({}, {"function": made["function"]}, {"type": "function"}):
        answer = await vapi.http.patch(f"/tool/{made['id']}", json=body)
        assert answer.status_code == 200
        assert answer.json()["latestVersion"] == "v1"


async def test_a_change_keeps_the_type(vapi: Caller) -> None:
    made = await vapi.tool()
    problems = await vapi.problems(f"/tool/{made['id']}", {"type": "endCall"}, "PATCH")
    assert problems == ["type must be one of the following values: function"]


async def test_a_change_is_checked_like_a_new_tool(vapi: Caller) -> None:
    made = await vapi.tool()
    assert await vapi.problems(f"/tool/{made['id']}", {"name": "no", "server": {"verb": 1}}, "PATCH") == [
        "property name should not exist",
        "server.property verb should not exist",
    ]


async def test_a_deleted_tool_is_answered_once_and_then_gone(vapi: Caller) -> None:
    made = await vapi.tool()
    answer = await vapi.http.delete(f"/tool/{made['id']}")
    assert (answer.status_code, answer.json()) == (200, made)
    for method in ("GET", "PATCH", "DELETE"):
        gone = await vapi.http.request(method, f"/tool/{made['id']}", json={})
        assert gone.status_code == 404
        assert gone.json()["statusCode"] == 404


async def test_numbers_come_back_as_the_real_server_writes_them(vapi: Caller) -> None:
    headers = {"content-type": "application/json"}
    text = b'{"type":"function","server":{"timeoutSeconds":20.0},"parameters":[{"key":"k","value":0.5}]}'
    answer = await vapi.http.post("/tool", content=text, headers=headers)
    assert b'"timeoutSeconds":20}' in answer.content
    assert b'"value":0.5' in answer.content


async def test_half_a_surrogate_pair_and_a_null_character_survive(vapi: Caller) -> None:
    text = rb'{"type":"function","function":{"name":"n","description":"\ud800 \u0000 \u00e9"}}'
    answer = await vapi.http.post("/tool", content=text, headers={"content-type": "application/json"})
    assert answer.status_code == 201
    assert answer.json()["function"]["description"] == "\ud800 \x00 é"
    assert len(await vapi.listed()) == 1


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"1", b'{"type":NaN}', b"\xff", b"[" * 100_000])
async def test_a_body_that_is_no_json_object_is_400(vapi: Caller, text: bytes) -> None:
    answer = await vapi.http.post("/tool", content=text, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert await vapi.listed() == []


async def test_a_body_without_a_json_content_type_is_400(vapi: Caller) -> None:
    answer = await vapi.http.post("/tool", content=b'{"type":"function"}')
    assert answer.status_code == 400
    assert answer.json()["message"] == "Content-Type must be application/json"
