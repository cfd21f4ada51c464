"""Coverage is assistants that can book, of those that should, by what is wanted now."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from devstack.databases import DatabaseUrls
from tool_sync.domain import events as e
from tool_sync.domain.fleet import Clinic as ClinicFacts
from tool_sync.domain.fleet import Fleet, decide_tool
from tool_sync.queries.as_of import fleet_of, state_as_of
from tool_sync.queries.coverage import CannotBook, Coverage, cannot_book, coverage_of
from tool_sync.queries.explain_assistant import explain_assistant
from tool_sync.queries.failures import list_failures

from ..command import command, envelope, result
from ..ordering import order_of, say, version
from .clinic import HASH, TOOL, Clinic, published, registered

OTHER = "lookUpPatient"
SAVED_AT = 5
"""The position of the first save in these histories."""


def save(agent_id: str = "agent-1", revision: int = 1) -> e.SyncRequested:
    return e.SyncRequested(uuid4(), agent_id, f"assistant-{agent_id}", revision, HASH, "save", None)


def synced(agent_id: str = "agent-1", *tool_ids: str) -> e.AssistantSynced:
    refs = tuple(e.ToolRef(TOOL, tool_id, 1, HASH) for tool_id in tool_ids)
    return e.AssistantSynced(agent_id, f"assistant-{agent_id}", 1, "platform", refs, (), SAVED_AT, None, None)


def failed(agent_id: str = "agent-1", code: str = "TS-307", *tool_ids: str) -> e.AssistantSyncFailed:
    refs = tuple(e.ToolRef(TOOL, tool_id, 1, HASH) for tool_id in tool_ids)
    wrong = (e.ToolFailure(TOOL, code),)
    return e.AssistantSyncFailed(
        agent_id, f"assistant-{agent_id}", 1, "platform", refs, wrong, code, (), SAVED_AT, None, sequence=1
    )


def another_tool(tier: str = "basic", name: str = OTHER) -> e.BlueprintPublished:
    return version(name, 1, tier)


async def counted(clinic: Clinic, org_id: UUID | None = None) -> Coverage:
    async with clinic.pool.acquire() as connection:
        return await coverage_of(connection, org_id)


async def numbers(clinic: Clinic) -> tuple[int, int, int]:
    found = await counted(clinic)
    return found.equipped, found.assistants, found.without_tools


async def without(clinic: Clinic) -> tuple[CannotBook, ...]:
    async with clinic.pool.acquire() as connection:
        return await cannot_book(connection, limit=100)


async def kinds(clinic: Clinic) -> list[tuple[str, str | None]]:
    (one,) = await without(clinic)
    return [(lack.kind, lack.tool) for lack in one.lacks]


async def equipped(clinic: Clinic) -> None:
    await clinic.happened(published(), e.OrgRegistered("basic"), save(), registered(), synced("agent-1", "tool-1"))
    assert await numbers(clinic) == (1, 1, 0)
    assert await without(clinic) == ()


async def test_an_assistant_that_was_never_synced_should_book_and_cannot(clinic: Clinic) -> None:
    await clinic.happened(published(), e.OrgRegistered("basic"), save())
    assert await numbers(clinic) == (0, 1, 0)
    assert await kinds(clinic) == [("never synced", None)]


@pytest.mark.parametrize("code", ["TS-301", "TS-307", "TS-311", "TS-312"])
async def test_linked_and_not_usable_is_not_covered(clinic: Clinic, code: str) -> None:
    await equipped(clinic)
    await clinic.happened(failed("agent-1", code, "tool-1"))
    assert await numbers(clinic) == (0, 1, 0)
    (one,) = await without(clinic)
    assert (one.code, [lack.code for lack in one.lacks]) == (code, [code])


async def test_a_new_tool_that_nobody_has_yet_is_lacked_by_everybody(clinic: Clinic) -> None:
    await equipped(clinic)
    await clinic.happened(another_tool())
    assert await numbers(clinic) == (0, 1, 0)
    assert (await counted(clinic)).other_definition == 0
    assert await kinds(clinic) == [("not there", OTHER)]
    await clinic.happened(registered(OTHER, "tool-2"))
    assert await kinds(clinic) == [("not named", OTHER)], "the clinic has it, and the assistant does not"
    await clinic.happened(
        e.AssistantSynced(
            "agent-1", "assistant-agent-1", 1, "platform",
            (e.ToolRef(TOOL, "tool-1", 1, HASH), e.ToolRef(OTHER, "tool-2", 1, HASH)), (), 0, None, None,
        )
    )  # fmt: skip
    assert await numbers(clinic) == (1, 1, 0)


async def test_a_version_that_is_ordered_makes_no_gap_and_who_has_another_is_counted(clinic: Clinic) -> None:
    await equipped(clinic)
    await clinic.happened(published(2, definition_hash="b" * 64))
    assert await numbers(clinic) == (1, 1, 0), "callers reach the version before until it is updated"
    assert (await counted(clinic)).other_definition == 1
    await clinic.happened(e.ToolUpdated(uuid4(), "platform", TOOL, "tool-1", 2, "b" * 64, HASH))
    assert await numbers(clinic) == (1, 1, 0), "an update in place keeps every link"
    assert (await counted(clinic)).other_definition == 0


async def test_a_tool_of_a_rollout_that_has_reached_the_clinic_first_is_no_gap(clinic: Clinic) -> None:
    await equipped(clinic)
    await clinic.happened(e.ToolUpdated(uuid4(), "platform", TOOL, "tool-1", 9, "c" * 64, HASH))
    assert await numbers(clinic) == (1, 1, 0)
    assert (await counted(clinic)).other_definition == 1


async def test_a_version_that_nobody_ordered_is_wanted_by_nobody(clinic: Clinic) -> None:
    await equipped(clinic)
    await say(clinic.log, another_tool())
    assert await numbers(clinic) == (1, 1, 0)
    started, completed = order_of(another_tool())
    await say(clinic.log, started)
    assert await numbers(clinic) == (1, 1, 0), "a rollout is counted once it is completed"
    await say(clinic.log, completed)
    assert await numbers(clinic) == (0, 1, 0)
    await say(clinic.log, e.RolloutRolledBack(started.rollout_id, OTHER, "it was wrong"))
    assert await numbers(clinic) == (1, 1, 0)


async def test_who_lacks_a_tool_that_is_halted_lacks_nothing(clinic: Clinic) -> None:
    await equipped(clinic)
    await clinic.happened(another_tool(), e.ToolHalted(OTHER, "it books twice"))
    assert await numbers(clinic) == (1, 1, 0)
    await clinic.happened(e.ToolResumed(OTHER, "mended"))
    assert await numbers(clinic) == (0, 1, 0)


async def test_an_older_id_of_the_tool_is_a_gap(clinic: Clinic) -> None:
    await equipped(clinic)
    await clinic.happened(e.ToolVanished("platform", TOOL, "tool-1", 1, HASH))
    assert await kinds(clinic) == [("not there", TOOL)]
    await clinic.happened(registered(tool_id="tool-2"))
    assert await numbers(clinic) == (0, 1, 0)
    assert await kinds(clinic) == [("another id", TOOL)]
    await clinic.happened(synced("agent-1", "tool-2"))
    assert await numbers(clinic) == (1, 1, 0)


async def test_a_clinic_that_wants_no_tool_counts_in_neither_number(clinic: Clinic) -> None:
    await equipped(clinic)
    await clinic.happened(e.ToolSettingChanged(TOOL, False))
    assert await numbers(clinic) == (0, 0, 1)
    assert (await counted(clinic)).percent == 100.0
    await clinic.happened(e.ToolSettingChanged("nothingOfThisName", True), e.ToolSettingChanged(TOOL, True))
    assert await numbers(clinic) == (1, 1, 0)
    await clinic.happened(published(2, "enterprise"))
    assert await numbers(clinic) == (0, 0, 1)
    await clinic.happened(e.OrgTierChanged("enterprise"))
    assert (await numbers(clinic))[1:] == (1, 0)


async def test_an_outcome_without_tools_does_not_cover_who_wants_them_again(clinic: Clinic) -> None:
    await clinic.happened(published(), e.OrgRegistered("basic"), save(), registered())
    await clinic.happened(e.ToolSettingChanged(TOOL, False), synced("agent-1"), e.ToolSettingChanged(TOOL, True))
    assert await numbers(clinic) == (0, 1, 0)


async def test_who_is_gone_counts_in_neither_number(clinic: Clinic) -> None:
    await equipped(clinic)
    await clinic.happened(save("agent-2"), e.AssistantRemoved("agent-2", None))
    assert await numbers(clinic) == (1, 1, 0)
    await clinic.happened(e.OrgClosed())
    assert await numbers(clinic) == (0, 0, 0)
    assert (await counted(clinic)).organizations == 0


async def test_a_new_life_is_not_covered_by_what_was_said_of_the_old_one(clinic: Clinic) -> None:
    await equipped(clinic)
    await clinic.happened(e.AssistantRemoved("agent-1", None, 1), save(revision=2))
    assert await numbers(clinic) == (0, 1, 0)
    assert await kinds(clinic) == [("never synced", None)]


@pytest.mark.parametrize("said", [synced("agent-1", "tool-1"), failed("agent-1", "TS-307", "tool-1")])
async def test_an_agent_that_got_another_assistant_is_not_judged_by_the_one_before(
    clinic: Clinic, said: e.AssistantSynced | e.AssistantSyncFailed
) -> None:
    await equipped(clinic)
    await clinic.happened(said)
    await clinic.happened(replace(save(revision=2), assistant_id="another"))
    assert await numbers(clinic) == (0, 1, 0)
    assert await kinds(clinic) == [("never synced", None)]
    async with clinic.pool.acquire() as connection:
        explained = await explain_assistant(
            connection, await state_as_of(connection, clinic.org_id, Fleet()), "agent-1"
        )
        failures = await list_failures(connection, org_id=None, code=None, since=None, limit=10)
    assert (explained.outcome, explained.code, explained.tools, failures) == (None, None, (), [])
    (told,) = (await clinic.ask("/v1/assistants")).json()["assistants"]
    assert told["assistant_id"] == "assistant-agent-1", "the snapshot names whom the outcome is about"
    await clinic.happened(replace(synced("agent-1", "tool-1"), assistant_id="another", revision=2))
    assert await numbers(clinic) == (1, 1, 0)


async def test_one_clinics_switch_and_tools_are_not_anothers(clinic: Clinic) -> None:
    await equipped(clinic)
    other = uuid4()
    await clinic.happened(e.OrgRegistered("basic"), save(), e.ToolSettingChanged(TOOL, False), org_id=other)
    assert await numbers(clinic) == (1, 1, 1)
    await clinic.happened(e.ToolSettingChanged(TOOL, True), synced("agent-1", "tool-1"), org_id=other)
    assert await numbers(clinic) == (1, 2, 0), "that tool is the first clinic's"
    assert (await counted(clinic, other)).equipped == 0
    assert (await counted(clinic, clinic.org_id)).percent == 100.0


async def test_what_is_wanted_is_what_the_reconciler_wants(clinic: Clinic) -> None:
    tiers = ("basic", "professional", "enterprise", "unheardOf")
    tools = [another_tool(tier, name=f"toolOf{tier}") for tier in tiers]
    await clinic.happened(*tools)
    async with clinic.pool.acquire() as connection:
        fleet = await fleet_of(connection)
    for tier in tiers:
        for off in (None, *(tool.name for tool in tools)):
            org = uuid4()
            await clinic.happened(e.OrgRegistered(tier), save(), synced(), org_id=org)
            if off:
                await clinic.happened(e.ToolSettingChanged(off, False), org_id=org)
            async with clinic.pool.acquire() as connection:
                (one,) = await cannot_book(connection, org, limit=9)
            facts = ClinicFacts(str(org), tier, disabled=(off,) if off else ())
            wanted = {tool.name for tool in tools if decide_tool(facts, fleet, tool.name).version is not None}
            assert {lack.tool for lack in one.lacks} == wanted, (tier, off)


async def test_the_command_says_who_cannot_book_and_why(clinic: Clinic, tool_sync_db: DatabaseUrls) -> None:
    url = tool_sync_db.service
    await equipped(clinic)
    code, text, _ = await command("coverage", database_url=url)
    assert code == 0
    assert "1 of 1 assistants that should book can (100.00 %)" in text
    assert "not looked at: Vapi itself" in text
    await clinic.happened(save("agent-2"), failed("agent-2", "TS-309", "tool-1"))
    code, text, _ = await command("coverage", str(clinic.org_id), database_url=url)
    assert code == 1
    assert "agent-2" in text
    assert "TS-309" in text
    assert "clinic: Add tool-calls to serverMessages" in " ".join(text.split())
    code, text, _ = await command("coverage", "--json", "--limit", "1", database_url=url)
    body = result(text)
    assert (code, body["assistants"], body["equipped"], body["percent"]) == (1, 2, 1, 50.0)
    assert [one["agent_id"] for one in body["cannot_book"]] == ["agent-2"]
    assert (body["not_shown"], body["paused_keys"]) == (0, [])
    assert envelope(text)["not_looked_at"]
    code, _, error = await command("coverage", str(uuid4()), database_url=url)
    assert (code, "there is no organization" in error) == (2, True)


async def test_nobody_to_cover_is_not_called_covered(clinic: Clinic, tool_sync_db: DatabaseUrls) -> None:
    code, text, _ = await command("coverage", database_url=tool_sync_db.service)
    assert code == 0
    assert "no assistant should book" in text
    assert "100" not in text
