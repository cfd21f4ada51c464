"""Clinics that stay at a version for a while: against a real log, a real feeder and a sandbox."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tool_sync.domain.events import (
    BlueprintPublished,
    OrgClosed,
    RolloutStage,
    ToolPinExpired,
    ToolPinned,
    ToolSettingChanged,
    ToolUnpinned,
    ToolUpdated,
)
from tool_sync.domain.fleet.rollout import Refused
from tool_sync.domain.tool_pin import PinBasis, PinWish
from tool_sync.intake.wishes import AlreadySo, Wisher, WishStored
from tool_sync.log import tool_stream
from tool_sync.queries.coverage import coverage_of
from tool_sync.queries.decisions import judge_decisions
from tool_sync.rollouts.command import write
from tool_sync.rollouts.pins import pin_basis, pin_tool, pinned_to
from tool_sync.rollouts.publish import withdrawn
from tool_sync.sync.loop import Reconciler
from zerotouch_contracts.canonical import canonical_hash

from .context import EVERYBODY, context_over, stages
from .limits import BOOKING, CANCELLING
from .world import World

LOOKING = "Says that it is looking."
OLD, UPDATE = 2, "PATCH /tool/{id}"
HOUR = timedelta(hours=1)


async def pin(
    world: World, org_id: UUID, version: int | None = OLD, lasts: timedelta = HOUR, tool: str = BOOKING
) -> Any:
    """What becomes of the wish."""

    async def read() -> tuple[int, PinBasis]:
        return await pin_basis(world.connection, org_id, tool)

    until = None if version is None else datetime.now(UTC) + lasts
    return await pin_tool(world.log, read, org_id, tool, PinWish(version, until, "a fair"), Wisher("operator"))


async def justified(world: World) -> None:
    found = await judge_decisions(world.connection, lambda _done, _of: None)
    assert (found.unjustified, found.findings) == (0, [])


async def passes(lasts: timedelta) -> None:
    """The time itself: it is the database's."""
    await asyncio.sleep(lasts.total_seconds())


async def test_a_pinned_clinic_stays_while_the_others_follow_and_follows_when_it_is_unpinned(world: World) -> None:
    pinned, other = await world.clinics(2)
    assert isinstance(await pin(world, pinned), WishStored)
    version = await world.publish(LOOKING)
    planned = await world.plan(version)
    assert (planned.tally.left_by, planned.tally.clinics["left"], planned.tally.clinics["update"]) == (
        {"pinned": 1}, 1, 1,
    )  # fmt: skip
    await world.apply(planned.order.rollout_id, planned.digest)
    await world.until(planned.order.rollout_id, "completed")
    assert await world.versions() == {pinned: OLD, other: version}
    assert await world.calls() == [UPDATE]
    status = await world.status(planned.order.rollout_id)
    assert (status.clinics, status.pinned) == (1, 1)

    assert isinstance(await pin(world, pinned, None), WishStored)
    await world.sync()
    assert await world.versions() == {pinned: version, other: version}
    assert await world.calls() == [UPDATE] * 2
    assert await world.events(pinned, ToolPinned, ToolUnpinned, ToolUpdated) == [
        *await world.events(pinned, ToolPinned),
        ToolUnpinned(BOOKING, "a fair"),
        *await world.events(pinned, ToolUpdated),
    ]
    await justified(world)


async def test_a_pin_takes_a_clinic_back_and_its_end_by_time_brings_it_on_again(world: World) -> None:
    (org_id,) = await world.clinics(1)
    version = await world.publish(LOOKING)
    rollout_id = await world.complete(version)
    lasts = timedelta(seconds=1.5)
    await pin(world, org_id, OLD, lasts)
    await world.sync()
    assert await world.versions() == {org_id: OLD}
    assert (await world.status(rollout_id)).clinics == 0

    await passes(lasts)
    await world.sync()
    assert await world.versions() == {org_id: version}
    (ended,) = await world.events(org_id, ToolPinExpired)
    assert [ended.pinned_at] == await world.positions("ToolPinned")
    assert await world.calls() == [UPDATE] * 3
    assert (await world.status(rollout_id)).clinics == 1
    await justified(world)


@pytest.mark.parametrize("processed", [True, False], ids=["it had been seen", "nobody had seen it"])
async def test_a_pin_that_ended_while_no_process_lived_is_ended_by_the_next_one(world: World, processed: bool) -> None:
    (org_id,) = await world.clinics(1)
    version = await world.publish(LOOKING)
    await world.complete(version)
    lasts = timedelta(seconds=1)
    await pin(world, org_id, OLD, lasts)
    if processed:
        await world.sync()
        assert await world.versions() == {org_id: OLD}
    await passes(lasts)

    world.reconciler = Reconciler(context_over(world.pool, world.log, world.http._transport))
    await world.sync()
    assert await world.versions() == {org_id: version}
    assert len(await world.events(org_id, ToolPinExpired)) == 1
    assert await world.connection.fetchval("SELECT count(*) FROM org_tool_pins WHERE version IS NOT NULL") == 0
    await justified(world)


async def test_a_worker_that_dies_before_it_ends_a_pin_leaves_that_to_the_next(world: World) -> None:
    """The lease that it held ends, and the clinic is due by the time of the pin alone: no event makes it so."""
    (org_id,) = await world.clinics(1)
    version = await world.publish(LOOKING)
    await world.complete(version)
    lasts = timedelta(seconds=1)
    await pin(world, org_id, OLD, lasts)
    await world.sync()
    await passes(lasts)
    claims, _ = await world.context.store.claim(10, 0.3)  # and dies
    assert [claim.org_id for claim in claims] == [org_id]
    assert (await world.context.store.claim(10, 0.3))[0] == []

    await passes(timedelta(seconds=0.4))
    await world.sync()
    assert await world.versions() == {org_id: version}


async def test_a_newer_pin_replaces_one_and_outlives_its_time(world: World) -> None:
    (org_id,) = await world.clinics(1)
    version = await world.publish(LOOKING)
    await world.complete(version)
    lasts = timedelta(seconds=1)
    await pin(world, org_id, OLD, lasts)
    await pin(world, org_id, OLD)
    await world.sync()
    await passes(lasts)
    await world.sync()
    assert await world.versions() == {org_id: OLD}
    assert await world.events(org_id, ToolPinExpired) == []


async def test_a_pin_gives_a_tool_that_is_ordered_for_nobody_and_its_end_takes_it(world: World) -> None:
    pinned, other = await world.clinics(2, assistants=2)
    await pin(world, pinned, tool=CANCELLING)
    await world.sync()
    assert [await world.linked(org_id) for org_id in (pinned, other)] == [[{BOOKING, CANCELLING}] * 2, [{BOOKING}] * 2]
    coverage = await coverage_of(world.connection)
    assert (coverage.assistants, coverage.equipped) == (4, 4)

    await pin(world, pinned, None, tool=CANCELLING)
    await world.sync()
    assert await world.linked(pinned) == [{BOOKING}] * 2
    await justified(world)


async def test_what_beats_a_pin_beats_it_while_it_lasts_and_not_after_that(world: World) -> None:
    (org_id,) = await world.clinics(1)
    version = await world.publish(LOOKING)
    await pin(world, org_id)
    await world.complete(version)
    assert await world.versions() == {org_id: OLD}
    await world.say(org_id, ToolSettingChanged(BOOKING, False))
    await world.sync()
    assert await world.versions() == {}
    await world.say(org_id, ToolSettingChanged(BOOKING, True))
    await world.sync()
    assert await world.versions() == {org_id: OLD}
    await justified(world)


async def test_a_clinic_that_is_deleted_is_not_pinned_any_more_and_cannot_be(world: World) -> None:
    (org_id,) = await world.clinics(1)
    await pin(world, org_id)
    assert await pinned_to(world.connection, BOOKING, OLD) == 1
    await world.say(org_id, OrgClosed())
    await world.sync()
    assert await pinned_to(world.connection, BOOKING, OLD) == 0
    assert type(await pin(world, org_id)).__name__ == "OrgIsClosed"


async def test_a_version_that_clinics_are_pinned_to_is_not_withdrawn(world: World) -> None:
    clinics = await world.clinics(3)
    version = await world.publish(LOOKING)
    for org_id in clinics[:2]:
        await pin(world, org_id, version)
    count = await pinned_to(world.connection, BOOKING, version)

    done = await world.decide(BOOKING, lambda fleet: withdrawn(fleet, BOOKING, version, "wrong", count))

    assert done == Refused(
        f"2 clinics are pinned to version {version} of {BOOKING}; `tool-sync org pins` lists them: unpin them first"
    )


async def test_the_same_wish_again_writes_nothing_also_beside_itself(world: World) -> None:
    (org_id,) = await world.clinics(1)
    until = datetime.now(UTC) + HOUR

    async def once() -> Any:
        async with world.pool.acquire() as connection:

            async def read() -> tuple[int, PinBasis]:
                return await pin_basis(connection, org_id, BOOKING)

            return await pin_tool(world.log, read, org_id, BOOKING, PinWish(OLD, until, "a fair"), Wisher("operator"))

    answers = await asyncio.gather(*(once() for _ in range(5)))
    assert sorted(type(answer).__name__ for answer in answers) == [*["AlreadySo"] * 4, "WishStored"]
    assert isinstance(await once(), AlreadySo)
    assert len(await world.positions("ToolPinned")) == 1


async def published_again(world: World, number: int, description: str) -> None:
    """By another writer, or a release of long ago: the number stands for another document."""
    version = (await world.fleet()).versions[BOOKING][number]
    document = {**version.document, "function": {**version.document["function"], "description": description}}
    event = BlueprintPublished(
        BOOKING, number, version.tier, False, canonical_hash(document), document, version.contract
    )
    await write(world.log, tool_stream(BOOKING), lambda _fleet: event, actor="another writer")


async def test_a_number_that_is_published_again_changes_no_clinic_that_an_older_order_or_a_pin_holds(
    world: World,
) -> None:
    pinned, other = await world.clinics(2)
    version = await world.publish(LOOKING)
    await world.complete(version)
    await pin(world, pinned)
    await world.sync()
    await world.begin()
    for number in (OLD, version):
        await published_again(world, number, "Somebody else's.")
    await world.rest()
    for org_id in (pinned, other):
        await world.save(org_id, "another-desk")
    await world.sync()

    assert UPDATE not in await world.calls()
    assert await world.versions() == {pinned: OLD, other: version}
    shown = await world.connection.fetchval("SELECT definition_hash FROM system_tools WHERE name = $1", BOOKING)
    order = (await world.fleet()).orders[BOOKING][-1]
    assert order.gives is not None
    assert shown == order.gives.definition_hash
    await justified(world)

    await world.complete(version)  # a newer order is for what the number stands for now
    assert (await world.tool_of(other))["function"]["description"] == "Somebody else's."
    assert await world.calls() == ["POST /assistant"] * 2 + ["PATCH /assistant/{id}"] * 2 + [UPDATE]
    await justified(world)


async def test_a_plan_whose_version_was_published_again_is_not_applied(world: World) -> None:
    await world.clinics(1)
    version = await world.publish(LOOKING)
    planned = await world.plan(version)
    await published_again(world, version, "Somebody else's.")

    done = await world.apply(planned.order.rollout_id, planned.digest)

    assert done == Refused(f"version {version} of {BOOKING} was published again since it was planned: plan it anew")


async def test_a_pinned_clinic_holds_up_no_stage_and_no_aborted_order_follows_it(world: World) -> None:
    first, second = await world.clinics(2)
    version = await world.publish(LOOKING)
    await pin(world, first)
    rollout_id = await world.start(version, stages((first,), (second,)))
    await world.until(rollout_id, "completed")
    newer = await world.publish("Says it in other words.")
    half = await world.start(newer, (RolloutStage("own", orgs=(str(first),), bake_seconds=3600), EVERYBODY))
    await world.rest()
    await world.command(half, "abort")
    await pin(world, first, None)
    await world.rest()

    assert await world.versions() == {first: version, second: version}
    await justified(world)


async def test_a_plan_groups_pins_as_it_groups_everything_else(world: World) -> None:
    clinics = await world.clinics(6)
    version = await world.publish(LOOKING)
    for org_id in clinics[:3]:
        await pin(world, org_id)
    await pin(world, clinics[3], version)
    await world.sync()
    planned = await world.plan(version)

    assert planned.tally.left_by == {"pinned": 4}
    assert planned.event.counts == replace(planned.event.counts, update=2, left=4, calls=2)
