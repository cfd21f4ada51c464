"""Whoever leaves an assistant takes out of it what is ours, and whoever takes it waits for that."""

from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from tests.support.eventually import eventually

from assistant_api.prompt.lines import BEGIN
from zerotouch_contracts.tools import DEFINITIONS

from .harness import Harness


async def test_an_assistant_that_goes_from_one_clinic_to_another_keeps_nothing_of_the_first(hasty: Harness) -> None:
    first, second = await hasty.organization("First"), await hasty.organization("Second")
    x = await _loose(hasty, toolIds=[foreign := str(uuid4())], metadata={"team": "blue"})
    y = await _loose(hasty)
    await _adopt(hasty, first, "a", x)
    await _link(hasty, x, theirs := await _tool(hasty, first))

    await hasty.accepted(await hasty.patch(f"/api/agents/a?orgId={first}", {"vapiAssistantId": y}), "a")
    taken = await hasty.post("/api/agents", _body("b", second, x))
    status = (await hasty.get(f"/api/assistants/b/status?orgId={second}")).json()

    assert taken.status_code == 202, taken.text  # not refused: somebody is about to be taken out
    assert (status["state"], status["code"]) == ("provisioning", "TS-108")
    row = await hasty.provisioned("b")
    assert row["failure_code"] is None
    now = await hasty.vapi.assistant(x)
    assert now["model"]["toolIds"] == [foreign]
    assert theirs not in now["model"]["toolIds"]
    assert now["metadata"] == {"team": "blue", **_mark(hasty, second, "b")}
    assert now["model"]["messages"][0]["content"].count(BEGIN) == 1
    [saved] = [message for message in await hasty.outbox() if message["body"]["agent_id"] == "b"]
    assert saved["body"]["assistant_id"] == x


async def test_adoption_writes_our_mark_before_it_is_announced_and_a_lost_mark_comes_back(hasty: Harness) -> None:
    org_id = await hasty.organization()
    x = await _loose(hasty, metadata={"team": "blue", "n": 7, "nested": {"k": [1]}})
    await _adopt(hasty, org_id, "a", x)
    kept = {"team": "blue", "n": 7, "nested": {"k": [1]}}
    assert (await hasty.vapi.assistant(x))["metadata"] == {**kept, **_mark(hasty, org_id, "a")}
    assert [write.split()[0] for write in await hasty.vapi.writes()] == ["POST", "PATCH"]

    (await hasty.vapi.api.patch(f"/assistant/{x}", json={"metadata": kept})).raise_for_status()
    await hasty.post("/api/assistants/sync", {"agentId": "a"}, org_id)

    await hasty.provisioned("a")
    assert (await hasty.vapi.assistant(x))["metadata"] == {**kept, **_mark(hasty, org_id, "a")}


@pytest.mark.parametrize("to", ["another", "none", "in bulk"])
async def test_plain_sql_that_gives_another_assistant_is_a_save_and_a_leave(hasty: Harness, to: str) -> None:
    org_id = await hasty.organization()
    x, y = await _loose(hasty), await _loose(hasty)
    await _adopt(hasty, org_id, "a", x)
    await _link(hasty, x, await _tool(hasty, org_id))
    given = {"another": y, "none": None, "in bulk": None}[to]
    where = "true" if to == "in bulk" else "id = 'a'"

    await hasty.owner.execute(f"UPDATE agents SET vapi_assistant_id = $1 WHERE {where}", given)  # noqa: S608

    await hasty.removed()
    row = await hasty.provisioned("a")
    assert await hasty.saves("a") == [(1, "save", "saved"), (2, "save", "saved")]
    assert row["vapi_assistant_id"] == y if to == "another" else row["vapi_assistant_id"] != x
    assert row["vapi_made"] is (to != "another")
    await _is_clean(hasty, x)
    assert (await hasty.vapi.assistant(row["vapi_assistant_id"]))["metadata"].items() >= _mark(
        hasty, org_id, "a"
    ).items()


async def test_the_provisioners_own_statements_are_no_saves(hasty: Harness) -> None:
    org_id = await hasty.organization()
    saved = await hasty.agent(org_id, id="a")
    (await hasty.vapi.api.delete(f"/assistant/{saved['assistantId']}")).raise_for_status()

    await hasty.post("/api/assistants/sync", {"agentId": "a"}, org_id)

    row = await hasty.provisioned("a")
    assert row["vapi_assistant_id"] != saved["assistantId"]
    assert await hasty.saves("a") == [(1, "save", "saved"), (2, "sync", "saved")]
    assert await hasty.owner.fetchval("SELECT count(*) FROM removals") == 0


@pytest.mark.parametrize("one_clinic", [True, False])
@pytest.mark.parametrize("how", ["by NULL", "one after the other"])
async def test_two_agents_that_exchange_their_assistants_end_with_their_own_only(
    hasty: Harness, one_clinic: bool, how: str
) -> None:
    first = await hasty.organization()
    second = first if one_clinic else await hasty.organization()
    x, y = await _loose(hasty), await _loose(hasty)
    await _adopt(hasty, first, "a", x)
    await _adopt(hasty, second, "b", y)
    tools = {"a": await _tool(hasty, first), "b": await _tool(hasty, second)}
    await _link(hasty, x, tools["a"])
    await _link(hasty, y, tools["b"])

    give = "UPDATE agents SET vapi_assistant_id = $1 WHERE id = $2"
    if how == "by NULL":
        async with hasty.owner.transaction():
            for assistant_id, agent_id in ((None, "a"), (x, "b"), (y, "a")):
                await hasty.owner.execute(give, assistant_id, agent_id)
    else:
        for assistant_id, agent_id in ((None, "a"), (x, "b"), (y, "a")):
            await hasty.owner.execute(give, assistant_id, agent_id)

    await hasty.removed()
    for agent_id, org_id, assistant_id, foreign in (("a", first, y, "b"), ("b", second, x, "a")):
        assert (await hasty.provisioned(agent_id))["vapi_assistant_id"] == assistant_id
        now = await hasty.vapi.assistant(assistant_id)
        assert now["metadata"].items() >= _mark(hasty, org_id, agent_id).items()
        assert one_clinic or tools[foreign] not in now["model"]["toolIds"]
        assert now["model"]["messages"][0]["content"].count(BEGIN) == 1


async def test_a_deleted_agent_leaves_an_adopted_assistant_without_what_is_ours(hasty: Harness) -> None:
    org_id, other = await hasty.organization(), await hasty.organization()
    pinned = {"toolId": (pin := await _tool(hasty, org_id)), "version": "v1"}
    x = await _loose(hasty, toolIds=[foreign := str(uuid4())], words="Clinic's own words.", metadata={"team": "blue"})
    before = await hasty.vapi.assistant(x)
    await _adopt(hasty, org_id, "a", x)
    await _link(hasty, x, await _tool(hasty, org_id), refs=[pinned])
    assert pin

    assert (await hasty.delete(f"/api/agents/a?orgId={org_id}")).status_code == 204
    await hasty.removed()

    now = await hasty.vapi.assistant(x)
    assert now["model"]["toolIds"] == [foreign]
    assert now["model"].pop("toolRefs") == []
    assert now["model"] == before["model"]  # to the byte of the clinic's words
    assert now["metadata"] == {"team": "blue"}
    assert await hasty.vapi.requests("DELETE") == []
    await _adopt(hasty, other, "b", x)  # and anybody may have it


async def test_what_we_made_is_deleted_and_its_row_says_so(hasty: Harness) -> None:
    org_id = await hasty.organization()
    await hasty.agent(org_id, id="made")
    await hasty.vapi.break_route("POST /assistant", {"kind": "reset", "commit": True}, times=1)
    await hasty.post("/api/agents", {"id": "lost", "name": "L"}, org_id)
    await hasty.provisioned("lost")
    x = await _loose(hasty)
    await _adopt(hasty, org_id, "adopted", x)
    made = {agent_id: (await hasty.row(agent_id))["vapi_made"] for agent_id in ("made", "lost", "adopted")}

    await hasty.delete(f"/api/organizations/{org_id}")
    await hasty.removed()

    assert made == {"made": True, "lost": True, "adopted": False}
    assert [item["id"] for item in await hasty.vapi.assistants()] == [x]


async def test_a_copy_made_by_hand_that_is_found_in_place_of_a_lost_creation_was_not_made_by_us(
    hasty: Harness,
) -> None:
    """It carries our whole metadata, and the attempt of what it was copied from."""
    org_id = await hasty.organization()
    saved = await hasty.agent(org_id, id="a")
    own = (await hasty.vapi.assistant(saved["assistantId"]))["metadata"]
    (await hasty.vapi.api.delete(f"/assistant/{saved['assistantId']}")).raise_for_status()
    copy = (await hasty.vapi.api.post("/assistant", json={"name": "Copy", "metadata": own})).json()["id"]
    await hasty.vapi.break_route("POST /assistant", {"kind": "reset", "commit": False}, times=1)
    await hasty.post("/api/assistants/sync", {"agentId": "a"}, org_id)
    row = await hasty.provisioned("a")
    assert (row["vapi_assistant_id"], row["vapi_made"]) == (copy, False)

    await hasty.delete(f"/api/agents/a?orgId={org_id}")
    await hasty.removed()

    assert [item["id"] for item in await hasty.vapi.assistants()] == [copy]


async def test_an_assistant_that_another_agent_has_by_now_is_released_and_not_deleted(hasty: Harness) -> None:
    first, second = await hasty.organization(), await hasty.organization()
    x = (await hasty.agent(first, id="a"))["assistantId"]
    await _link(hasty, x, theirs := await _tool(hasty, first))
    hasty.service.loops["remover"].stop()
    await hasty.delete(f"/api/agents/a?orgId={first}")

    await hasty.owner.execute(
        "INSERT INTO agents (org_id, id, name, vapi_assistant_id) VALUES ($1, 'b', 'B', $2)", second, x
    )
    assert await eventually(hasty.service.remover.run_once) == 1  # from the settle time on

    row = await hasty.provisioned("b")
    now = await hasty.vapi.assistant(x)
    assert (row["vapi_assistant_id"], row["vapi_made"]) == (x, False)
    assert theirs not in now["model"]["toolIds"]
    assert now["metadata"].items() >= _mark(hasty, second, "b").items()
    assert await hasty.vapi.requests("DELETE") == []


async def test_what_we_made_and_somebody_else_has_marked_is_not_deleted(hasty: Harness) -> None:
    first, second = await hasty.organization(), await hasty.organization()
    x = (await hasty.agent(first, id="a"))["assistantId"]
    await _link(hasty, x, await _tool(hasty, first), stays := await _tool(hasty, second))
    theirs = _mark(hasty, second, "b")
    (await hasty.vapi.api.patch(f"/assistant/{x}", json={"metadata": theirs})).raise_for_status()

    await hasty.delete(f"/api/agents/a?orgId={first}")
    await hasty.removed()

    now = await hasty.vapi.assistant(x)
    assert (now["metadata"], now["model"]["toolIds"]) == (theirs, [stays])
    assert BEGIN in now["model"]["messages"][0]["content"]  # it goes with the mark
    assert await hasty.vapi.requests("DELETE") == []


async def test_a_link_that_tool_sync_makes_after_the_leave_is_taken_out_too(hasty: Harness) -> None:
    org_id = await hasty.organization()
    x = await _loose(hasty)
    await _adopt(hasty, org_id, "a", x)
    tool = await _tool(hasty, org_id)

    await hasty.owner.execute("UPDATE agents SET vapi_assistant_id = NULL")
    await _link(hasty, x, tool)

    await hasty.removed()
    await _is_clean(hasty, x)


async def test_two_leaves_before_the_first_release_are_both_taken_out_one_after_the_other(hasty: Harness) -> None:
    first, second, third = [await hasty.organization() for _ in range(3)]
    x = await _loose(hasty)
    await _adopt(hasty, first, "a", x)
    await _link(hasty, x, await _tool(hasty, first), await _tool(hasty, second))
    give = "UPDATE agents SET vapi_assistant_id = $1 WHERE id = $2"
    await hasty.owner.execute(give, None, "a")
    await hasty.owner.execute(
        "INSERT INTO agents (org_id, id, name, vapi_assistant_id) VALUES ($1, 'b', 'B', $2)", second, x
    )
    await hasty.owner.execute(give, None, "b")

    await hasty.post("/api/agents", _body("c", third, x))

    await hasty.removed()
    await hasty.provisioned("c")
    now = await hasty.vapi.assistant(x)
    assert now["model"]["toolIds"] == []
    assert now["metadata"] == _mark(hasty, third, "c")


async def test_who_takes_its_assistant_back_before_it_was_released_keeps_all(hasty: Harness) -> None:
    org_id = await hasty.organization()
    x, y = await _loose(hasty), await _loose(hasty)
    await _adopt(hasty, org_id, "a", x)
    await _link(hasty, x, tool := await _tool(hasty, org_id))

    for assistant_id in (y, x):
        await hasty.owner.execute("UPDATE agents SET vapi_assistant_id = $1", assistant_id)

    await hasty.removed()
    await hasty.provisioned("a")
    now = await hasty.vapi.assistant(x)
    assert now["model"]["toolIds"] == [tool]
    assert now["metadata"] == _mark(hasty, org_id, "a")
    await _is_clean(hasty, y)


async def test_who_takes_it_back_while_the_release_is_being_written_waits_and_is_marked_again(hasty: Harness) -> None:
    org_id = await hasty.organization()
    x, y = await _loose(hasty), await _loose(hasty)
    await _adopt(hasty, org_id, "a", x)
    await _link(hasty, x, await _tool(hasty, org_id))
    late = {"kind": "late", "delay_ms": 900}
    await hasty.owner.execute("UPDATE agents SET vapi_assistant_id = $1", y)
    await hasty.provisioned("a")
    await hasty.vapi.break_route("PATCH /assistant/{id}", late, times=1)

    async def written() -> Any:
        return await hasty.owner.fetchval("SELECT write_at FROM removals WHERE released_assistant_id = $1", x)

    await eventually(written)
    await hasty.owner.execute("UPDATE agents SET vapi_assistant_id = $1", x)

    await hasty.removed(within_seconds=15)
    await hasty.provisioned("a")
    assert (await hasty.vapi.assistant(x))["metadata"] == _mark(hasty, org_id, "a")
    assert BEGIN in (await hasty.vapi.assistant(x))["model"]["messages"][0]["content"]


@pytest.mark.parametrize("landed", [True, False])
async def test_a_process_that_dies_around_the_write_leaves_the_rest_to_another(hasty: Harness, landed: bool) -> None:
    org_id = await hasty.organization()
    x = await _loose(hasty)
    await _adopt(hasty, org_id, "a", x)
    await _link(hasty, x, await _tool(hasty, org_id))
    await hasty.vapi.break_route("PATCH /assistant/{id}", {"kind": "reset", "commit": landed}, times=1)

    await hasty.delete(f"/api/agents/a?orgId={org_id}")

    await hasty.removed()
    await _is_clean(hasty, x)
    assert len([entry for entry in await hasty.vapi.requests("PATCH") if entry["executed"]]) == 2 + 1  # adopt, link


async def test_what_somebody_writes_in_between_is_looked_at_again(hasty: Harness) -> None:
    org_id = await hasty.organization()
    x = await _loose(hasty)
    await _adopt(hasty, org_id, "a", x)
    await _link(hasty, x, await _tool(hasty, org_id))
    another = await _tool(hasty, org_id)
    edit = {"kind": "external_edit", "merge": {"maxDurationSeconds": 77}, "append_tool_ids": [another]}
    await hasty.vapi.break_route("GET /assistant/{id}", edit, times=1)

    await hasty.delete(f"/api/agents/a?orgId={org_id}")

    await hasty.removed()
    await _is_clean(hasty, x)
    assert (await hasty.vapi.assistant(x))["maxDurationSeconds"] == 77


async def test_two_hundred_foreign_tools_stay_and_only_ours_goes(hasty: Harness) -> None:
    org_id, other = await hasty.organization(), await hasty.organization()
    foreign = [await _tool(hasty, uuid4(), installation=uuid4()) for _ in range(20)]
    foreign += [await _tool(hasty, other), *(str(uuid4()) for _ in range(180))]
    x = await _loose(hasty, toolIds=foreign[:100])
    await _adopt(hasty, org_id, "a", x)
    await _link(hasty, x, await _tool(hasty, org_id), *foreign[100:])

    await hasty.delete(f"/api/agents/a?orgId={org_id}")

    await hasty.removed(within_seconds=30)
    assert (await hasty.vapi.assistant(x))["model"]["toolIds"] == foreign


async def test_nothing_to_take_out_is_no_write_and_an_assistant_that_is_gone_is_done(hasty: Harness) -> None:
    org_id = await hasty.organization()
    x, y = await _loose(hasty), await _loose(hasty)
    await _adopt(hasty, org_id, "a", x)
    await _adopt(hasty, org_id, "b", y)
    (await hasty.vapi.api.delete(f"/assistant/{x}")).raise_for_status()
    bare = await hasty.vapi.assistant(y)
    bare["model"]["messages"] = []
    (await hasty.vapi.api.patch(f"/assistant/{y}", json={"metadata": {}, "model": bare["model"]})).raise_for_status()
    writes = await hasty.vapi.writes()

    await hasty.delete(f"/api/organizations/{org_id}")
    await hasty.removed()

    assert await hasty.vapi.writes() == writes


async def test_what_vapi_does_not_let_go_is_tried_again_every_day_and_whoever_waits_is_told(hasty: Harness) -> None:
    first, second = await hasty.organization(), await hasty.organization()
    x = await _loose(hasty)
    await _adopt(hasty, first, "a", x)
    await hasty.vapi.break_route("PATCH /assistant/{id}", {"kind": "status", "status": 400})
    await hasty.delete(f"/api/agents/a?orgId={first}")
    await hasty.post("/api/agents", _body("b", second, x))

    async def postponed() -> Any:
        return await hasty.owner.fetchval("SELECT failure_code FROM removals WHERE next_due > now() + interval '23 h'")

    assert await eventually(postponed) == "TS-302"
    assert await hasty.service.housekeeping.run_once() is False
    assert await hasty.owner.fetchval("SELECT count(*) FROM removals") == 1
    status = (await hasty.get(f"/api/assistants/b/status?orgId={second}")).json()
    assert (status["state"], status["code"]) == ("provisioning", "TS-108")

    await hasty.vapi.dial()
    await hasty.owner.execute("UPDATE removals SET next_due = now()")
    await hasty.provisioned("b")


async def test_an_assistant_that_carries_anothers_mark_is_not_overwritten_at_any_save(hasty: Harness) -> None:
    first, second = await hasty.organization(), await hasty.organization()
    x = await _loose(hasty)
    await _adopt(hasty, first, "a", x)
    theirs = _mark(hasty, second, "b")
    (await hasty.vapi.api.patch(f"/assistant/{x}", json={"metadata": theirs})).raise_for_status()

    answer = await hasty.patch(f"/api/agents/a?orgId={first}", {"firstMessage": "Mine"})
    status = (await hasty.get(f"/api/assistants/a/status?orgId={first}")).json()

    assert (answer.status_code, answer.json()["code"]) == (422, "TS-312"), answer.text
    assert (status["state"], status["code"]) == ("refused", "TS-312")
    now = await hasty.vapi.assistant(x)
    assert (now["metadata"], now.get("firstMessage")) == (theirs, None)


@pytest.mark.parametrize(
    ("key", "value", "adoptable"),
    [
        (None, None, True),
        ("agent_id", "somebody-else", True),  # one generic key is anybody's word
        ("organization_id", str(uuid4()), True),
        ("zerotouch_installation", str(uuid4()), False),
        ("zerotouch_installation", 7, False),
    ],
)
async def test_the_platform_may_take_what_carries_no_whole_mark_and_a_clinic_may_not(
    hasty: Harness, key: str | None, value: object, adoptable: bool
) -> None:
    org_id = await hasty.organization()
    x = await _loose(hasty, metadata={"kept": "1", **({} if key is None else {key: value})})
    body = {"id": "a", "name": "A", "vapiAssistantId": x}

    assert (await hasty.post("/api/agents", body, org_id)).status_code == 422
    answer = await hasty.post("/api/agents", {**body, "orgId": str(org_id)})
    if adoptable:
        await hasty.accepted(answer, "a")
    else:
        assert answer.status_code == 422, answer.text


async def test_a_clinic_may_give_its_assistant_to_another_of_its_agents(hasty: Harness) -> None:
    org_id, other = await hasty.organization(), await hasty.organization()
    x, y = await _loose(hasty), await _loose(hasty)
    await _adopt(hasty, org_id, "a", x)
    await hasty.owner.execute("UPDATE agents SET vapi_assistant_id = $1 WHERE id = 'a'", y)

    assert (await hasty.post("/api/agents", {"id": "b", "name": "B", "vapiAssistantId": x}, other)).status_code == 422
    answer = await hasty.post("/api/agents", {"id": "b", "name": "B", "vapiAssistantId": x}, org_id)

    assert answer.status_code == 202, answer.text
    await hasty.provisioned("b")
    assert (await hasty.vapi.assistant(x))["metadata"] == _mark(hasty, org_id, "b")


async def test_an_agents_key_never_changes(hasty: Harness) -> None:
    org_id, other = await hasty.organization(), await hasty.organization()
    await hasty.agent(org_id, id="a")

    for change in (("org_id", other), ("id", "b")):
        with pytest.raises(Exception, match="keeps its organization and its id"):
            await hasty.owner.execute(f"UPDATE agents SET {change[0]} = $1", change[1])  # noqa: S608


def _body(agent_id: str, org_id: UUID, assistant_id: str) -> dict[str, str]:
    return {"id": agent_id, "name": "B", "orgId": str(org_id), "vapiAssistantId": assistant_id}


async def _adopt(harness: Harness, org_id: UUID, agent_id: str, assistant_id: str) -> None:
    await harness.accepted(await harness.post("/api/agents", _body(agent_id, org_id, assistant_id)), agent_id)


async def _loose(
    harness: Harness, *, words: str | None = None, metadata: dict[str, Any] | None = None, **model: Any
) -> str:
    """An assistant that somebody made in the dashboard."""
    messages = [] if words is None else [{"role": "system", "content": words}]
    document = {"name": "B", "model": {"provider": "openai", "model": "gpt-4o", "messages": messages, **model}}
    answer = await harness.vapi.api.post(
        "/assistant", json={**document, **({"metadata": metadata} if metadata else {})}
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def _tool(harness: Harness, org_id: UUID, *, installation: UUID | None = None) -> str:
    """A tool as tool-sync registers it for an organization."""
    document = DEFINITIONS[0].vapi_payload(
        installation_id=installation or harness.service.settings.installation_id,
        org_id=org_id,
        server_url="https://hooks.example.test/vapi",
    )
    answer = await harness.vapi.api.post("/tool", json=document)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def _link(harness: Harness, assistant_id: str, *tool_ids: str, refs: list[dict[str, str]] | None = None) -> None:
    model = (await harness.vapi.assistant(assistant_id))["model"]
    model["toolIds"] = [*(model.get("toolIds") or ()), *tool_ids]
    if refs is not None:
        model["toolRefs"] = refs
    (await harness.vapi.api.patch(f"/assistant/{assistant_id}", json={"model": model})).raise_for_status()


def _mark(harness: Harness, org_id: UUID, agent_id: str) -> dict[str, str]:
    return {
        "zerotouch_installation": str(harness.service.settings.installation_id),
        "organization_id": str(org_id),
        "agent_id": agent_id,
    }


async def _is_clean(harness: Harness, assistant_id: str) -> None:
    now = await harness.vapi.assistant(assistant_id)
    assert not now["model"].get("toolIds")
    assert BEGIN not in str(now["model"].get("messages"))
    assert not now.get("metadata")


async def test_agents_can_be_inserted_by_plain_sql_unless_they_are_there(hasty: Harness) -> None:
    """Which PostgreSQL refuses for a table with a deferrable unique constraint."""
    org_id = await hasty.organization()
    for _ in range(2):
        await hasty.owner.execute(
            "INSERT INTO agents (id, org_id, name) VALUES ('a', $1, 'A') ON CONFLICT DO NOTHING", org_id
        )

    assert (await hasty.provisioned("a"))["saved_revision"] == 1


async def test_one_statement_does_not_exchange_two_assistants(hasty: Harness) -> None:
    org_id = await hasty.organization()
    x, y = [str((await hasty.agent(org_id, id=agent_id))["assistantId"]) for agent_id in ("a", "b")]

    with pytest.raises(asyncpg.UniqueViolationError):
        await hasty.owner.execute("UPDATE agents SET vapi_assistant_id = CASE id WHEN 'a' THEN $1 ELSE $2 END", y, x)

    assert [(await hasty.row(agent_id))["vapi_assistant_id"] for agent_id in ("a", "b")] == [x, y]
    assert await hasty.owner.fetchval("SELECT count(*) FROM removals") == 0


async def test_an_id_that_never_was_at_vapi_is_refused_also_where_the_agent_had_another(hasty: Harness) -> None:
    org_id = await hasty.organization()
    await hasty.agent(org_id, id="a")

    await hasty.owner.execute("UPDATE agents SET vapi_assistant_id = $1 WHERE id = 'a'", str(uuid4()))

    async def refused() -> bool:
        row = await hasty.row("a")
        return bool(row["refused_revision"] == row["saved_revision"])

    await eventually(refused)
    assert len([write for write in await hasty.vapi.writes() if write.startswith("POST")]) == 1


async def test_a_general_key_of_somebody_elses_is_back_after_the_release(hasty: Harness) -> None:
    org_id = await hasty.organization()
    x = await _loose(hasty, metadata={"agent_id": "of-another-system", "team": "blue"})
    await _adopt(hasty, org_id, "a", x)
    assert (await hasty.vapi.assistant(x))["metadata"].items() >= _mark(hasty, org_id, "a").items()

    assert (await hasty.delete(f"/api/agents/a?orgId={org_id}")).status_code == 204

    await hasty.removed()
    assert (await hasty.vapi.assistant(x))["metadata"] == {"agent_id": "of-another-system", "team": "blue"}
