"""Which tool answers a caller, in which version, and where its webhook goes."""

from __future__ import annotations

from typing import Any

import pytest

from .phone import URL, Phone, tool

MODEL = {"provider": "openai", "model": "gpt-4o"}
NEW = "https://new.test/"
OURS = {"name": "book", "id": "call_1"}


async def saved(phone: Phone, url: str) -> str:
    """Create a tool `book` at a server."""
    return str((await phone.vapi.create("/tool", tool("book", url)))["id"])


async def test_the_report_says_which_tool_answered_and_where(phone: Phone) -> None:
    assistant = await phone.assistant(tool())
    (tool_id,) = await phone.vapi.listed()
    entry = await phone.one(assistant)
    assert entry["tool"] == {"source": "toolIds", "id": tool_id, "version": "v1"}
    assert entry["serverUrl"] == URL


async def test_an_inline_tool_has_no_id(phone: Phone) -> None:
    assistant = await phone.assistant(model={**MODEL, "tools": [tool("book", NEW)]})
    entry = await phone.one(assistant)
    assert (entry["tool"], entry["serverUrl"]) == ({"source": "inline", "id": None, "version": None}, NEW)


@pytest.mark.parametrize("messages", [[], ["end-of-call-report"]])
async def test_without_tool_calls_among_the_server_messages_the_tool_fails(phone: Phone, messages: list[str]) -> None:
    assistant = await phone.assistant(tool(), serverMessages=messages)
    entry = await phone.one(assistant)
    assert (entry["heard"]["as"], entry["serverUrl"], entry["deliveries"]) == ("nothing", None, [])
    assert phone.endpoint.requests == []


@pytest.mark.parametrize(
    ("same_name", "source"),
    [(None, "inline"), ("first", "inline"), ("inline", "inline"), ("saved", "toolIds"), ("last", "toolRefs")],
)
async def test_of_several_tools_of_one_name_the_dial_chooses(phone: Phone, same_name: str | None, source: str) -> None:
    linked, pinned = await saved(phone, URL), await saved(phone, URL)
    refs = [{"toolId": pinned, "version": "v1"}]
    model = {**MODEL, "tools": [tool("book", NEW)], "toolIds": [linked], "toolRefs": refs}
    assistant = await phone.assistant(model=model)
    await phone.vapi.turn(**({} if same_name is None else {"same_name": same_name}))
    assert (await phone.one(assistant))["tool"]["source"] == source


@pytest.mark.parametrize(("same_name", "place"), [("first", 0), ("inline", 0), ("saved", 0), ("last", 1)])
async def test_of_two_saved_tools_of_one_name_the_place_decides(phone: Phone, same_name: str, place: int) -> None:
    ids = [await saved(phone, URL), await saved(phone, NEW)]
    assistant = await phone.assistant(model={**MODEL, "toolIds": ids})
    await phone.vapi.turn(same_name=same_name)
    entry = await phone.one(assistant)
    assert (entry["tool"]["id"], entry["serverUrl"]) == (ids[place], [URL, NEW][place])


async def test_a_pin_gets_the_server_and_the_static_parameters_of_its_version(phone: Phone) -> None:
    pinned = await saved(phone, URL)
    newer = {"server": {"url": NEW}, "parameters": [{"key": "organization_id", "value": "org-2"}]}
    await phone.vapi.http.patch(f"/tool/{pinned}", json=newer)
    refs = [{"toolId": pinned, "version": "v1"}]
    old = await phone.assistant(model={**MODEL, "toolRefs": refs})
    new = await phone.assistant(model={**MODEL, "toolIds": [pinned]})
    for assistant, version, url, org in ((old, "v1", URL, "org-1"), (new, "v2", NEW, "org-2")):
        entry = await phone.one(assistant)
        assert (entry["tool"]["version"], entry["serverUrl"]) == (version, url)
        arguments = phone.endpoint.messages()[-1]["toolCallList"][0]["function"]["arguments"]
        assert arguments["organization_id"] == org


@pytest.mark.parametrize("version", ["v2", "latest", "1"])
async def test_a_pin_to_a_version_that_is_not_there_ends_the_call(phone: Phone, version: str) -> None:
    refs = [{"toolId": await saved(phone, URL), "version": version}]
    assistant = await phone.assistant(model={**MODEL, "toolRefs": refs})
    (problem,) = await phone.vapi.problems("/__sandbox/calls", {"assistantId": assistant})
    assert problem.endswith(f"Has No Version {version}.")


async def split(phone: Phone, assistant: str, *targets: tuple[str, float]) -> dict[str, Any]:
    """Split an assistant's traffic."""
    given = [{"assistantVersion": version, "percentage": percentage} for version, percentage in targets]
    return await phone.vapi.create("/traffic-allocations", {"assistantId": assistant, "targets": given})


async def version_for(phone: Phone, assistant: str, number: str) -> str:
    """Return the version that takes a caller's call."""
    return str((await phone.answered(assistantId=assistant, customer={"number": number}))["assistantVersion"])


async def test_a_split_of_versions_without_the_link_keeps_callers_from_the_tool(phone: Phone) -> None:
    assistant = await phone.assistant(model=MODEL)
    model = {**MODEL, "toolIds": [await saved(phone, URL)]}
    await split(phone, assistant, ("v1", 100))
    await phone.vapi.http.patch(f"/assistant/{assistant}", json={"model": model})
    order = {"assistantId": assistant, "toolCalls": [OURS], "customer": {"number": "+4930123"}}
    (problem,) = await phone.vapi.problems("/__sandbox/calls", order)
    assert problem == "toolCalls.0.name: the assistant has no function tool 'book' (it has: none)"
    await phone.vapi.create("/traffic-allocations", {"assistantId": assistant, "allocationIntent": "follow-latest"})
    assert (await phone.one(assistant, customer={"number": "+4930123"}))["serverUrl"] == URL


async def test_the_same_caller_always_gets_the_same_version_and_the_shares_hold(phone: Phone) -> None:
    assistant = await phone.assistant(model=MODEL)
    await phone.vapi.http.patch(f"/assistant/{assistant}", json={"firstMessage": "two"})
    await split(phone, assistant, ("v1", 30), ("v2", 70))
    numbers = [f"+49301{number:04}" for number in range(200)]
    first = [await version_for(phone, assistant, number) for number in numbers]
    assert 40 <= first.count("v1") <= 80
    assert [await version_for(phone, assistant, number) for number in numbers[:50]] == first[:50]
    await split(phone, assistant, ("v1", 20), ("v2", 80))
    later = [await version_for(phone, assistant, number) for number in numbers]
    moved = [number for number, (was, is_) in enumerate(zip(first, later, strict=True)) if was != is_]
    assert all(first[number] == "v1" for number in moved), "nobody moves against the change"
    await split(phone, assistant, ("v1", 0), ("v2", 100))
    assert {await version_for(phone, assistant, number) for number in numbers[:50]} == {"v2"}


async def test_a_split_keeps_its_versions_however_many_are_published(phone: Phone) -> None:
    assistant = await phone.assistant(tool())
    await split(phone, assistant, ("v1", 100))
    for number in range(60):
        body = {"model": MODEL, "firstMessage": str(number)}
        await phone.vapi.http.patch(f"/assistant/{assistant}", json=body)
    entry = await phone.one(assistant)
    assert entry["tool"]["version"] == "v1"
    assert phone.endpoint.messages()[0]["assistantVersion"] == "v1"


async def test_an_outbound_call_names_its_version_past_the_split(phone: Phone) -> None:
    assistant = await phone.assistant(model=MODEL)
    await phone.vapi.http.patch(f"/assistant/{assistant}", json={"firstMessage": "two"})
    await split(phone, assistant, ("v1", 100))
    assert (await phone.answered(assistantId=assistant, assistantVersion="v2"))["assistantVersion"] == "v2"
    body = {"assistantId": assistant, "assistantVersion": "v9"}
    (problem,) = await phone.vapi.problems("/__sandbox/calls", body)
    assert problem == "Couldn't Get Assistant. `assistantVersion` v9 Does Not Exist."
