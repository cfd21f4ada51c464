"""Words of a tool that somebody changes at Vapi: put right, or noted once and left, as its policy says."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from tests.support.unfolded import unfolded

from devstack.tokens import Signer
from tool_sync.domain.events import ToolDriftEnded, ToolDriftSeen, ToolUpdated, ToolUpdateStarted, ToolVanished
from tool_sync.domain.fleet.rollout import Refused
from tool_sync.rollouts.publish import drift_policy
from tool_sync.sync.auto_sync import AutoSync

from ..command import command, result
from .desk import WHY, PlatformDesk, platform_desk
from .limits import BOOKING
from .world import World

LOOKING, BY_HAND = "Says that it is looking.", "Books, in words of somebody's own."
REPORTED = f"drift of {BOOKING} is only reported"


@pytest.fixture
async def desk(world: World, signer: Signer) -> AsyncIterator[PlatformDesk]:
    async with platform_desk(world.pool, world.log, signer) as desk:
        yield desk


async def policy(world: World, what: Any) -> None:
    done = await world.decide(BOOKING, lambda fleet: drift_policy(fleet, BOOKING, what, "we try words by hand"))
    assert not isinstance(done, Refused)


async def edit(world: World, org_id: UUID, **changes: Any) -> None:
    """Somebody changes the clinic's tool at Vapi."""
    tool = await world.tool_of(org_id)
    answer = await world.http.patch(f"/tool/{tool['id']}", json=changes)
    assert answer.status_code == 200, answer.text


async def reword(world: World, org_id: UUID, words: str = BY_HAND) -> None:
    tool = await world.tool_of(org_id)
    await edit(world, org_id, function={**tool["function"], "description": words})


async def words(world: World, org_id: UUID) -> str:
    return str((await world.tool_of(org_id))["function"]["description"])


async def looks(world: World, sync: AutoSync, rounds: int = 3) -> int:
    """So many times everything of ours is looked at, a day apart, beside the clinics' own runs; the drifts told."""
    told = 0
    admin = await asyncpg.connect(world.admin_url)
    try:
        for _ in range(rounds):
            for table, columns in (
                ("object_looks", ("looked_at", "suspected_at", "tried_at")),
                ("vapi_walks", ("next_at",)),
            ):
                moved = ", ".join(f"{column} = {column} - interval '1 day'" for column in columns)
                await admin.execute(f"UPDATE {table} SET {moved}")  # noqa: S608
            await admin.execute("UPDATE org_tools SET updated_at = updated_at - interval '1 day'")
            for _ in range(3):
                told += await sync.run_once()
            await world.sync()
    finally:
        await admin.close()
    return told


def auto_sync_of(world: World) -> AutoSync:
    return AutoSync(world.context, world.pool, period=timedelta(hours=24), per_second=10_000, poll_seconds=0.01)


async def test_words_are_noted_once_and_left_and_put_right_once_that_is_the_policy(
    world: World, desk: PlatformDesk
) -> None:
    clinics, sync = await world.clinics(3), auto_sync_of(world)
    registered = await words(world, clinics[0])
    await looks(world, sync)
    await policy(world, "report")
    await reword(world, clinics[0])
    await world.begin()
    assert await looks(world, sync) == 1
    assert await world.calls() == []
    (seen,) = await world.events(clinics[0], ToolDriftSeen)
    assert (seen.gone, seen.differs) == (False, ("description",))
    await world.save(clinics[0], "another")  # a save links, and leaves the words as they are
    await world.sync()
    assert await words(world, clinics[0]) == BY_HAND

    status, said, _ = await command("why", str(clinics[0]), BOOKING, database_url=world.url)
    why = f"somebody changed {BOOKING} at Vapi (description); its drift is only reported, so it stays so"
    assert why in unfolded(said)
    status, said, _ = await command("check", str(clinics[0]), database_url=world.url)
    assert (status, "nothing is known to stand in the way" in said, "it stays so" in said) == (0, True, True)
    status, said, _ = await command("coverage", database_url=world.url)
    assert status == 0
    assert f"{REPORTED}: 1 clinics have other words than were registered" in unfolded(said)
    changes = (await desk.get(f"orgs/{clinics[0]}/changes"))["changes"]
    assert [(one["kind"], one["differs"]) for one in changes if one["kind"] == "changed_at_vapi"] == [
        ("changed_at_vapi", ["description"])
    ]

    await reword(world, clinics[0], "Other words again.")  # another difference
    assert await looks(world, sync) == 1

    await world.begin()
    await policy(world, "repair")
    await world.rest()
    assert await world.calls() == ["PATCH /tool/{id}"]
    assert await words(world, clinics[0]) == registered
    (update,) = await world.events(clinics[0], ToolUpdateStarted)
    assert update.repairs is not None
    assert await world.settled()
    assert await looks(world, sync) == 0
    judged = await command("log", "decisions", database_url=world.url)
    assert judged[0] == 0, judged


async def test_words_that_are_taken_back_at_vapi_are_noted_as_registered_again(world: World) -> None:
    (clinic,), sync = await world.clinics(1), auto_sync_of(world)
    registered = await words(world, clinic)
    await looks(world, sync)
    await policy(world, "report")
    await reword(world, clinic)
    assert await looks(world, sync) == 1
    await reword(world, clinic, registered)
    assert await looks(world, sync) == 1
    assert len(await world.events(clinic, ToolDriftEnded)) == 1
    assert await looks(world, sync) == 0
    assert await world.pool.fetchval("SELECT is_open FROM tool_drifts") is False


async def test_what_keeps_callers_from_booking_is_put_right_whatever_the_policy(world: World) -> None:
    clinics, sync = await world.clinics(2), auto_sync_of(world)
    await looks(world, sync)
    await policy(world, "report")
    tool, gone = [await world.tool_of(org_id) for org_id in clinics]
    await edit(world, clinics[0], server={**tool["server"], "url": "https://elsewhere.example.test"})
    await world.http.delete(f"/tool/{gone['id']}")
    assert await looks(world, sync) == 2
    assert (await world.tool_of(clinics[0]))["server"]["url"] == tool["server"]["url"]
    assert len(await world.events(clinics[1], ToolVanished)) == 1
    assert (await world.tool_of(clinics[1]))["id"] != gone["id"]
    assert await world.linked(clinics[1]) == [{BOOKING}]


async def test_an_orders_own_update_is_made_over_words_that_are_left(world: World) -> None:
    clinics, sync = await world.clinics(2), auto_sync_of(world)
    await looks(world, sync)
    await policy(world, "report")
    await reword(world, clinics[0])
    await looks(world, sync)
    version = await world.publish(LOOKING)
    await world.complete(version)
    assert [await words(world, org_id) for org_id in clinics] == [LOOKING, LOOKING]
    assert len(await world.events(clinics[0], ToolUpdated)) == 1


async def test_the_gate_says_that_what_is_not_as_ordered_is_only_reported(world: World) -> None:
    (clinic,) = await world.clinics(1)
    version = await world.publish(LOOKING)
    await policy(world, "report")
    rollout_id = await world.start(version)
    await world.feeder.run_once()
    await world.sync()
    await reword(world, clinic)
    await world.rest()
    assert (await world.status(rollout_id)).waits == "1 tool is not at Vapi as ordered yet; its drift is only reported"
    assert await words(world, clinic) == BY_HAND


async def test_the_policy_is_set_by_command_and_over_http_and_refused_where_it_is_so(
    world: World, desk: PlatformDesk
) -> None:
    reason = ("--reason", "we try words by hand")
    assert await command("blueprint", "drift", BOOKING, "report", *reason, database_url=world.url) == (
        0, f"drift of {BOOKING} is noted, and its words are left as they are\n", "",
    )  # fmt: skip
    assert await command("blueprint", "drift", BOOKING, "report", *reason, database_url=world.url) == (
        3, "", f"tool-sync: {REPORTED} already: we try words by hand\n",
    )  # fmt: skip
    shown = await desk.get(f"tools/{BOOKING}")
    assert (shown["drift"], shown["drift_reason"]) == ("report", "we try words by hand")
    answer = await desk.ask("PUT", f"tools/{BOOKING}/drift", json={"policy": "repair", **WHY})
    assert (answer.status_code, answer.json()["drift"]) == (200, "repair")
    answer = await desk.ask("PUT", f"tools/{BOOKING}/drift", json={"policy": "repair", **WHY})
    assert (answer.status_code, answer.json()["detail"]) == (409, f"drift of {BOOKING} is put right already")
    _, stdout, _ = await command("coverage", "--json", database_url=world.url)
    assert result(stdout)["drift_left"] == []
