"""Which tools a call has, and with which arguments they are called."""

from __future__ import annotations

from typing import Any

import pytest

from .phone import URL, Phone, tool

ABSENT = "5a4db0c5-0000-4000-8000-00000000dead"


def model(**fields: Any) -> dict[str, Any]:
    return {"provider": "openai", "model": "gpt-4o", **fields}


@pytest.mark.parametrize(
    "links", [{"toolIds": [ABSENT]}, {"toolRefs": [{"toolId": ABSENT, "version": "v1"}]}], ids=["linked", "pinned"]
)
async def test_an_assistant_with_a_dangling_tool_id_takes_no_call(phone: Phone, links: dict[str, Any]) -> None:
    assistant = await phone.assistant(model=model(**links, tools=[tool()]))
    body = {"assistantId": assistant, "toolCalls": [{"name": "book"}]}
    assert await phone.vapi.problems("/__sandbox/calls", body) == [
        f"Couldn't Get Tool. `toolId` {ABSENT} Does Not Exist."
    ]
    assert await phone.vapi.problems("/__sandbox/calls", {"assistantId": assistant}) != []
    assert phone.endpoint.requests == []
    assert (await phone.vapi.summary())["simulated_calls"] == {"made": 0, "refused": 2}


async def test_a_tool_that_was_deleted_ends_the_calls_of_its_assistant(phone: Phone) -> None:
    assistant = await phone.assistant(tool())
    assert (await phone.one(assistant))["heard"] == {"as": "result", "text": "ok"}
    (deleted,) = await phone.vapi.listed()
    await phone.vapi.http.delete(f"/tool/{deleted}")
    (problem,) = await phone.vapi.problems("/__sandbox/calls", {"assistantId": assistant})
    assert deleted in problem


async def test_an_unknown_assistant_takes_no_call(phone: Phone) -> None:
    (problem,) = await phone.vapi.problems("/__sandbox/calls", {"assistantId": ABSENT})
    assert problem == f"Couldn't Get Assistant. `assistantId` {ABSENT} Does Not Exist."


async def test_the_model_has_only_the_function_tools_of_its_assistant(phone: Phone) -> None:
    await phone.vapi.tool("cancel")
    assistant = await phone.assistant(tool(), {"type": "endCall"})
    (problem,) = await phone.vapi.problems(
        "/__sandbox/calls", {"assistantId": assistant, "toolCalls": [{"name": "cancel"}]}
    )
    assert problem == "toolCalls.0.name: the assistant has no function tool 'cancel' (it has: book)"


async def test_tools_are_linked_pinned_or_inline_and_the_first_of_a_name_counts(phone: Phone) -> None:
    linked = (await phone.vapi.create("/tool", tool("book", "https://linked.test/")))["id"]
    pinned = (await phone.vapi.create("/tool", tool("cancel", "https://pinned.test/")))["id"]
    inline = tool("book", "https://inline.test/"), tool("move", "https://inline.test/")
    refs = [{"toolId": pinned, "version": "v1"}]
    both = await phone.assistant(model=model(toolIds=[linked], toolRefs=refs, tools=inline))
    names = ("book", "cancel", "move")
    report = await phone.answered(*({"name": name} for name in names), assistantId=both)
    assert [entry["name"] for entry in report["toolCalls"]] == list(names)
    hosts = {message["toolCallList"][0]["function"]["name"]: request.url.host for request, message in _sent(phone)}
    assert hosts == {"book": "inline.test", "cancel": "pinned.test"}  # move travels with book: the same server
    assert sorted(len(message["toolCallList"]) for _, message in _sent(phone)) == [1, 2]


async def test_static_parameters_win_over_what_the_model_filled_in(phone: Phone) -> None:
    static = [
        {"key": "organization_id", "value": "org-1"},
        {"key": "definition_version", "value": 3},
        {"key": "caller", "value": "{{ customer.number }}"},
    ]
    assistant = await phone.assistant({**tool(), "parameters": static})
    chosen = {"organization_id": "org-2", "definition_version": "9", "patientName": "Ada {{ now }}"}
    await phone.answered({"name": "book", "arguments": chosen}, assistantId=assistant)
    (message,) = phone.endpoint.messages()
    assert message["toolCallList"][0]["function"]["arguments"] == {
        "organization_id": "org-1",
        "definition_version": 3,
        "caller": "{{ customer.number }}",
        "patientName": "Ada {{ now }}",
    }


async def test_an_assistant_without_tools_or_model_takes_a_call_without_tool_calls(phone: Phone) -> None:
    bare = (await phone.vapi.create("/assistant", {"name": "bare"}))["id"]
    report = await phone.answered(assistantId=bare)
    assert (report["assistantId"], report["toolCalls"]) == (bare, [])


async def test_assistants_of_every_vapi_org_can_be_called_with_their_own_tools(phone: Phone) -> None:
    phone.vapi.http.headers["authorization"] = "Bearer foreign-key"
    assistant = await phone.assistant(tool())
    await phone.one(assistant)
    (message,) = phone.endpoint.messages()
    assert message["call"]["orgId"] == "5a4db0c5-0000-4000-8000-000000000002"


@pytest.mark.parametrize(
    "server",
    [
        {"timeoutSeconds": "soon", "headers": [1], "backoffPlan": "never"},
        {"backoffPlan": {"type": 1, "maxRetries": "3", "baseDelaySeconds": None, "excludedStatusCodes": 503}},
        {"backoffPlan": {"maxRetries": 1e300, "baseDelaySeconds": -1, "excludedStatusCodes": ["x", 1e300]}},
    ],
)
async def test_unchecked_inline_tools_cannot_break_a_call(phone: Phone, server: dict[str, Any]) -> None:
    inline = [
        {},
        {"type": "function"},
        {**tool(), "parameters": [None, {"key": 1}, {"value": 2}], "server": {"url": URL, **server}},
    ]
    assistant = await phone.assistant(model=model())
    edit = {"kind": "external_edit", "merge": {"model": {"tools": inline}}}  # from before it was checked
    await phone.vapi.turn(rules=[{"route": "GET /assistant/{id}", "times": 1, "action": edit}])
    await phone.vapi.http.get(f"/assistant/{assistant}")
    assert (await phone.one(assistant))["problems"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"assistantId": 5},
        {"assistantId": "a", "toolCalls": [{}]},
        {"assistantId": "a", "toolCalls": [{"name": "book", "arguments": "{}"}]},
        {"assistantId": "a", "deliveries": 0},
        {"assistantId": "a", "deliveries": 1001},
        {"assistantId": "a", "surprise": 1},
        {"assistantId": "a", "toolCalls": [{"name": "book", "id": "x"}, {"name": "book", "id": "x"}]},
    ],
)
async def test_an_order_that_makes_no_sense_is_refused(phone: Phone, body: dict[str, Any]) -> None:
    assert await phone.vapi.problems("/__sandbox/calls", body) != []


def _sent(phone: Phone) -> list[tuple[Any, Any]]:
    return list(zip(phone.endpoint.requests, phone.endpoint.messages(), strict=True))
