"""`synced` is said only of an assistant whose next caller reaches our tool; everything else is told by its name."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tool_sync.domain.events import (
    AssistantDriftSeen,
    AssistantRemoved,
    AssistantSynced,
    AssistantSyncFailed,
    OrgClosed,
    OrgRegistered,
    SurplusFound,
    SyncAttemptFailed,
    ToolSettingChanged,
    TrafficSplitSeen,
)
from tool_sync.outcomes.publications import publication_of
from zerotouch_contracts.errors import CATALOGUE, ErrorCode
from zerotouch_contracts.tools import BOOK_CLINIC_APPOINTMENT

from .keys import replica
from .world import INSTALLATION, World

BOOK = BOOK_CLINIC_APPOINTMENT.name
MODEL = {"provider": "openai", "model": "gpt-4o"}


def inline(name: str = BOOK) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}, "server": {"url": "https://old.example.test"}}


async def foreign_tool(world: World, name: str = BOOK, **fields: Any) -> str:
    body = {"type": "function", "function": {"name": name}, "server": {"url": "https://old.example.test"}, **fields}
    answer = await world.http.post("/tool", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def clinics_tool(world: World, org_id: UUID, installation: UUID = INSTALLATION) -> str:
    payload = BOOK_CLINIC_APPOINTMENT.vapi_payload(
        org_id, server_url="https://hooks.example.test", installation_id=installation
    )
    answer = await world.http.post("/tool", json=payload)
    return str(answer.json()["id"])


async def newest(world: World, org: UUID) -> AssistantSynced | AssistantSyncFailed:
    return (await world.outcomes(org))[-1]


async def reads_of_tools(world: World) -> int:
    return len(await world.requests("GET", "/tool/{id}"))


async def shadowed_inline(world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"model": {**MODEL, "tools": [inline()]}}, {"model": {**MODEL, "tools": [inline("lookUp")]}}


async def shadowed_saved(world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    tool = await foreign_tool(world)
    return {"model": {**MODEL, "toolIds": [tool]}}, {"model": MODEL}


async def dangling(world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    tool = await foreign_tool(world, "lookUp")
    await world.http.delete(f"/tool/{tool}")
    return {"model": {**MODEL, "toolIds": [tool]}}, {"model": MODEL}


async def not_an_id(world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"model": {**MODEL, "toolIds": ["../assistant"]}}, {"model": MODEL}


async def not_sent(world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"serverMessages": ["transcript"]}, {"serverMessages": ["transcript", "tool-calls"]}


CASES = {
    "TS-307 inline": shadowed_inline,
    "TS-307 saved": shadowed_saved,
    "TS-308": dangling,
    "TS-308 of no id": not_an_id,
    "TS-309": not_sent,
}


@pytest.mark.parametrize("case", CASES)
async def test_linked_and_not_usable_is_told_at_once_by_name_and_ends_as_recovered(world: World, case: str) -> None:
    org, code = uuid4(), case[:6]
    broken, mended = await CASES[case](world)
    assistant = await world.assistant(**broken)
    request = await world.save(org, assistant)
    await world.sync()

    failed = await newest(world, org)
    assert isinstance(failed, AssistantSyncFailed)
    assert (failed.code, [tool.name for tool in failed.tools]) == (code, [BOOK])
    assert [(tool.name, tool.code) for tool in failed.failed_tools] == [(BOOK, code)]
    assert [one.request_id for one in failed.requests] == [request]
    assert failed.look_at is not None
    message = publication_of(org, failed)
    assert message is not None
    assert CATALOGUE[ErrorCode(code)].what_to_do in message.message  # type: ignore[union-attr]

    current = await world.at_vapi(assistant["id"])
    if "model" in mended:
        ours = [one for one in current["model"]["toolIds"] if one == failed.tools[0].vapi_tool_id]
        mended = {"model": {**mended["model"], "toolIds": ours}}
    await world.http.patch(f"/assistant/{assistant['id']}", json=mended)

    async def recovered() -> bool:
        outcome = await newest(world, org)
        return isinstance(outcome, AssistantSynced) and outcome.cause == "recovered"

    await world.until(recovered)
    outcomes = await world.outcomes(org)
    assert [type(one).__name__ for one in outcomes] == ["AssistantSyncFailed", "AssistantSynced"]
    assert [one.sequence for one in outcomes] == [1, 2]


async def test_what_is_changed_after_a_sync_is_told_at_the_next_save(world: World) -> None:
    org = uuid4()
    assistant = await world.assistant()
    await world.save(org, assistant)
    await world.sync()
    assert isinstance(await newest(world, org), AssistantSynced)
    changed = await world.http.patch(f"/assistant/{assistant['id']}", json={"serverMessages": ["transcript"]})
    await world.save(org, changed.json())
    await world.sync()
    failed = await newest(world, org)
    assert isinstance(failed, AssistantSyncFailed)
    assert failed.code == "TS-309"


async def test_an_assistant_without_foreign_ids_costs_its_save_no_call_more(world: World) -> None:
    org = uuid4()
    assistant = await world.assistant()
    await world.save(org, assistant)
    await world.sync()
    calls = [await world.requests(*call) for call in (("POST", "/tool"), ("GET", "/tool/{id}"), ("GET", "/tool"))]
    assert [len(found) for found in calls] == [1, 0, 0]
    assert len(await world.requests("GET", "/assistant/{id}")) == 1
    await world.save(org, await world.at_vapi(assistant["id"]))
    await world.sync()
    assert await reads_of_tools(world) == 0


async def test_a_foreign_id_is_read_once_a_day_for_all_clinics(world: World) -> None:
    tool = await foreign_tool(world, "lookUp")
    for number in range(3):
        assistant = await world.assistant(model={**MODEL, "toolIds": [tool]})
        await world.save(uuid4(), assistant, f"agent-{number}")
        await world.sync()
    assert await reads_of_tools(world) == 1
    await world.pool.execute("UPDATE named_tools SET read_at = read_at - interval '25 hours'")
    await world.save(uuid4(), await world.assistant(model={**MODEL, "toolIds": [tool]}), "agent-9")
    await world.sync()
    assert await reads_of_tools(world) == 2


async def test_two_hundred_foreign_tools_stay_and_an_edit_while_they_are_read_survives(world: World) -> None:
    org = uuid4()
    tools = [await foreign_tool(world, f"lookUp{number}") for number in range(200)]
    assistant = await world.assistant(model={**MODEL, "toolIds": tools})
    request = await world.save(org, assistant)
    await world.sync()
    synced = await newest(world, org)
    assert isinstance(synced, AssistantSynced)
    assert [one.request_id for one in synced.requests] == [request]
    at_vapi = await world.at_vapi(assistant["id"])
    assert at_vapi["model"]["toolIds"] == [*tools, synced.tools[0].vapi_tool_id]
    # Reading two hundred tools takes time: the document that is written back is read after that.
    reads = [
        entry["path"]
        for entry in (await world.http.get("/__sandbox/journal", params={"limit": 10_000})).json()["entries"]
    ]
    last_tool = max(place for place, path in enumerate(reads) if path.startswith("/tool/"))
    patch = next(
        place for place, path in enumerate(reads) if path == f"/assistant/{assistant['id']}" and place > last_tool
    )
    assert patch > last_tool


async def test_a_tool_of_another_clinic_is_taken_out_and_never_kept(world: World) -> None:
    org, other = uuid4(), uuid4()
    theirs, staging = await clinics_tool(world, other), await clinics_tool(world, org, installation=uuid4())
    foreign = await foreign_tool(world, "lookUp")
    refs = [{"toolId": theirs, "version": "v1"}, {"toolId": foreign, "version": "v1"}]
    assistant = await world.assistant(model={**MODEL, "toolIds": [foreign], "toolRefs": refs})
    await world.save(org, assistant)
    await world.sync()
    synced = await newest(world, org)
    assert isinstance(synced, AssistantSynced)
    model = (await world.at_vapi(assistant["id"]))["model"]
    assert theirs not in str(model)
    assert [ref["toolId"] for ref in model["toolRefs"]] == [foreign]

    # Of another installation with our name: not ours to touch, and it stands in the way.
    second = await world.assistant(model={**MODEL, "toolIds": [theirs, staging]})
    await world.save(org, second, "agent-2")
    await world.sync()
    failed = await newest(world, org)
    assert isinstance(failed, AssistantSyncFailed)
    assert failed.code == "TS-307"
    ids = (await world.at_vapi(second["id"]))["model"]["toolIds"]
    assert staging in ids
    assert theirs not in ids


async def test_a_second_tool_of_this_clinic_is_taken_out_and_noted_as_surplus(world: World) -> None:
    org = uuid4()
    lost = await clinics_tool(world, org)
    assistant = await world.assistant(model={**MODEL, "toolIds": [lost]})
    await world.save(org, assistant)
    await world.sync()
    synced = await newest(world, org)
    assert isinstance(synced, AssistantSynced)
    assert (await world.at_vapi(assistant["id"]))["model"]["toolIds"] == [synced.tools[0].vapi_tool_id]
    assert [event.vapi_tool_id for event in await world.events(org, SurplusFound)] == [lost]


@pytest.mark.parametrize("whose", ["another clinic's", "another installation's"])
async def test_a_save_that_names_somebody_elses_assistant_links_nothing(world: World, whose: str) -> None:
    org, other = uuid4(), uuid4()
    mark = {
        "zerotouch_installation": str(INSTALLATION if whose == "another clinic's" else uuid4()),
        "organization_id": str(other if whose == "another clinic's" else org),
        "agent_id": "agent-1",
    }
    assistant = await world.assistant(metadata=mark)
    await world.save(org, assistant)
    await world.sync()
    failed = await newest(world, org)
    assert isinstance(failed, AssistantSyncFailed)
    assert (failed.code, failed.tools) == ("TS-312", ())
    assert [tool.name for tool in failed.failed_tools] == [BOOK]
    assert await world.at_vapi(assistant["id"]) == assistant

    # A release was on its way: it is looked at again by itself.
    ours = {**mark, "zerotouch_installation": str(INSTALLATION), "organization_id": str(org)}
    await world.http.patch(f"/assistant/{assistant['id']}", json={"metadata": ours})

    async def recovered() -> bool:
        return isinstance(await newest(world, org), AssistantSynced)

    await world.until(recovered)


async def given_away(world: World, org: UUID) -> None:
    """Our agent's assistant bears another clinic's mark, and a look without a save comes before the news of that."""
    assistant = await world.assistant()
    await world.save(org, assistant)
    await world.sync()
    mark = {"zerotouch_installation": str(INSTALLATION), "organization_id": str(uuid4()), "agent_id": "agent-9"}
    await world.http.patch(f"/assistant/{assistant['id']}", json={"metadata": mark})
    await world.append(org, AssistantDriftSeen("agent-1", assistant["id"], gone=False))
    await world.sync()


async def test_an_assistant_that_was_given_to_another_clinic_is_told_when_it_is_seen_again(world: World) -> None:
    org = uuid4()
    await given_away(world, org)

    async def told() -> bool:
        return isinstance(await newest(world, org), AssistantSyncFailed)

    await world.until(told)
    failed = await newest(world, org)
    assert isinstance(failed, AssistantSyncFailed)
    assert (failed.code, failed.cause, failed.requests) == ("TS-312", "drift", ())
    assert [event.code for event in await world.events(org, SyncAttemptFailed)] == ["TS-312"]


async def test_an_assistant_that_the_agent_has_left_by_a_save_on_its_way_is_no_failure(world: World) -> None:
    world.reconciler = replica(world, policy=replace(world.context.policy, look_again=timedelta(hours=1)))
    org = uuid4()
    await given_away(world, org)
    assert len(await world.events(org, SyncAttemptFailed)) == 1
    await world.save(org, await world.assistant())
    await world.sync()
    assert [type(event) for event in await world.outcomes(org)] == [AssistantSynced, AssistantSynced]


async def test_a_pin_to_a_version_that_is_not_answered_stands_in_the_way(world: World) -> None:
    org = uuid4()
    assistant = await world.assistant()
    await world.save(org, assistant)
    await world.sync()
    (tool,) = await world.tools()
    pin = {"toolId": tool["id"], "version": "v1"}
    pinned = await world.http.patch(
        f"/assistant/{assistant['id']}", json={"model": {**MODEL, "toolIds": [], "toolRefs": [pin]}}
    )
    await world.save(org, pinned.json())
    await world.sync()
    assert isinstance(await newest(world, org), AssistantSynced)
    # The same tool, changed by hand: that version holds nothing that we know.
    await world.http.patch(f"/tool/{tool['id']}", json={"server": {"url": "https://elsewhere.example.test"}})
    pinned = await world.http.patch(
        f"/assistant/{assistant['id']}",
        json={"model": {**MODEL, "toolIds": [], "toolRefs": [{**pin, "version": "v2"}]}},
    )
    await world.save(org, pinned.json())
    await world.sync()
    failed = await newest(world, org)
    assert isinstance(failed, AssistantSyncFailed)
    assert failed.code == "TS-310"


async def test_a_known_traffic_split_stands_in_the_way_though_no_save_asks(world: World) -> None:
    org = uuid4()
    assistant = await world.assistant()
    await world.save(org, assistant)
    await world.sync()
    await world.append(org, TrafficSplitSeen("agent-1", assistant["id"], ("v1",)))
    await world.sync()
    failed = await newest(world, org)
    assert isinstance(failed, AssistantSyncFailed)
    assert (failed.code, failed.requests, failed.cause, failed.sequence) == ("TS-311", (), "drift", 2)
    count = len(await world.outcomes(org))
    await world.save(org, await world.at_vapi(assistant["id"]))
    await world.sync()
    (again,) = (await world.outcomes(org))[count:]
    assert isinstance(again, AssistantSyncFailed)
    assert again.code == "TS-311"

    await world.append(org, TrafficSplitSeen("agent-1", assistant["id"], None))

    async def recovered() -> bool:
        outcome = await newest(world, org)
        return isinstance(outcome, AssistantSynced) and outcome.cause == "recovered"

    await world.until(recovered)


async def test_looking_again_tells_nobody_the_same_twice(world: World) -> None:
    org = uuid4()
    await world.save(org, await world.assistant(serverMessages=[]))
    await world.sync()
    looks = len(await world.requests("GET", "/assistant/{id}"))

    async def looked() -> bool:
        return len(await world.requests("GET", "/assistant/{id}")) >= looks + 3

    await world.until(looked)
    assert len(await world.outcomes(org)) == 1


async def test_a_clinic_that_wants_no_tool_says_who_and_why_instead_of_success(world: World) -> None:
    org = uuid4()
    assistant = await world.assistant()
    await world.save(org, assistant)
    await world.sync()
    await world.append(org, ToolSettingChanged(BOOK, enabled=False))
    await world.sync()
    none = await newest(world, org)
    assert isinstance(none, AssistantSynced)
    assert (none.tools, none.reason, none.cause) == ((), "TS-501", "setting")
    message = publication_of(org, none)
    assert message is not None
    assert message.reason == "TS-501"  # type: ignore[union-attr]
    await world.save(org, await world.at_vapi(assistant["id"]))
    await world.sync()
    again = await newest(world, org)
    assert isinstance(again, AssistantSynced)
    assert (again.tools, again.reason) == ((), "TS-501")
    await world.append(org, ToolSettingChanged(BOOK, enabled=True))
    await world.sync()
    back = await newest(world, org)
    assert isinstance(back, AssistantSynced)
    assert ([tool.name for tool in back.tools], back.reason) == ([BOOK], None)


async def test_an_agent_and_an_organization_that_are_made_again_start_anew(world: World) -> None:
    org = uuid4()
    assistant = await world.assistant()
    await world.append(org, OrgRegistered("basic"))
    await world.save(org, assistant, revision=3)
    await world.sync()
    await world.append(org, AssistantRemoved("agent-1", assistant["id"], 3))
    await world.append(org, OrgClosed())
    await world.sync()
    assert isinstance(await newest(world, org), AssistantSynced)

    await world.append(org, OrgRegistered("basic"))
    request = await world.save(org, await world.at_vapi(assistant["id"]), revision=4)
    await world.sync()
    synced = await newest(world, org)
    assert isinstance(synced, AssistantSynced)
    assert [one.request_id for one in synced.requests] == [request]
    assert not await world.pool.fetchval("SELECT closed FROM organizations WHERE id = $1", org)
    assert not await world.pool.fetchval("SELECT removed FROM assistants WHERE org_id = $1", org)


async def test_what_vapi_said_is_kept_for_the_clinic_and_stands_in_no_event(world: World) -> None:
    org = uuid4()
    secret = "model.messages.0.content must not mention Jane Doe"
    await world.turn(
        rules=[{"route": "PATCH /assistant/{id}", "times": 1,
                "action": {"kind": "status", "status": 400, "json": {"message": [secret]}}}]
    )  # fmt: skip
    await world.save(org, await world.assistant())
    await world.sync()
    failed = await newest(world, org)
    assert isinstance(failed, AssistantSyncFailed)
    assert failed.code == "TS-302"
    (kept,) = await world.pool.fetch("SELECT * FROM vapi_words")
    assert (kept["org_id"], kept["agent_id"], kept["words"]) == (org, "agent-1", secret)
    assert (kept["route"], kept["status"]) == ("PATCH /assistant/{id}", 400)
    assert not await world.pool.fetchval("SELECT EXISTS (SELECT FROM events WHERE data::text LIKE '%Jane%')")
