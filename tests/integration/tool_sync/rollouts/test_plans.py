"""Plans are kept, and applied as they were shown or not at all."""

import asyncio
from functools import partial

import pytest

from tool_sync import db
from tool_sync.domain.events import OrgClosed, RolloutPlanned, RolloutStage, RolloutStarted
from tool_sync.domain.fleet import Fleet
from tool_sync.domain.fleet.rollout import Refused
from tool_sync.log import Log, rollout_stream
from tool_sync.rollouts import command as commands
from tool_sync.rollouts import plan as plans
from tool_sync.rollouts.applying import PlanChanged, plan_order
from tool_sync.rollouts.command import Written, write
from tool_sync.rollouts.publish import withdrawn
from tool_sync.sync.blueprint import read_fleet

from .context import EVERYBODY
from .limits import BOOKING
from .world import World

LOOKING = "Says that it is looking."


async def test_a_plan_changes_nothing_and_is_kept_until_it_is_applied(world: World) -> None:
    await world.clinics(3)
    planned = await world.plan(await world.publish(LOOKING))
    rollout_id = planned.order.rollout_id
    await world.rest()
    assert (await world.calls(), await world.state(rollout_id)) == ([], "planned")
    kept, _ = (await world.fleet()).plans[rollout_id]
    assert kept == planned.event

    await world.apply(rollout_id)
    assert rollout_id not in (await world.fleet()).plans


async def test_the_same_fleet_is_planned_alike_and_another_one_is_not(world: World) -> None:
    clinics = await world.clinics(3)
    version = await world.publish(LOOKING)
    first, again = await world.plan(version), await world.plan(version)
    assert (first.digest, first.order.rollout_id != again.order.rollout_id) == (again.digest, True)
    await world.say(clinics[0], OrgClosed())
    assert (await world.plan(version)).digest != first.digest
    assert (await world.plan(None)).digest != (await world.plan(version)).digest


async def test_a_plan_that_was_shown_as_another_one_is_refused(world: World) -> None:
    await world.clinics(1)
    planned = await world.plan(await world.publish(LOOKING))
    rollout_id = planned.order.rollout_id
    refused = await world.apply(rollout_id, "00000000")
    assert refused == Refused(f"rollout {rollout_id} is planned as {planned.digest}, not as 00000000")
    assert await world.state(rollout_id) == "planned"
    assert isinstance(await world.apply(rollout_id, planned.digest), Written)


async def test_a_plan_of_which_more_than_one_in_twenty_clinics_has_changed_is_refused_with_the_new_one(
    world: World,
) -> None:
    clinics = await world.clinics(20)
    planned = await world.plan(await world.publish(LOOKING))
    rollout_id = planned.order.rollout_id
    for org_id in clinics[:2]:
        await world.say(org_id, OrgClosed())
    changed = await world.apply(rollout_id, planned.digest)
    assert isinstance(changed, PlanChanged)
    assert changed.share == 0.1
    assert changed.now.event.counts.update == 18
    assert (await world.state(rollout_id), await world.calls()) == ("planned", [])


async def test_a_plan_of_which_one_in_twenty_clinics_has_changed_is_applied(world: World) -> None:
    clinics = await world.clinics(20)
    planned = await world.plan(await world.publish(LOOKING))
    await world.say(clinics[0], OrgClosed())
    assert isinstance(await world.apply(planned.order.rollout_id, planned.digest), Written)


async def test_of_two_rollouts_of_one_tool_that_are_applied_at_once_one_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.clinics(2)
    version = await world.publish(LOOKING)
    one, other = [(await world.plan(version)).order.rollout_id for _ in range(2)]
    connection = await db.SESSIONS.connect(world.url, application_name="test")
    second: list[asyncio.Task[Written | Refused | PlanChanged]] = []

    async def read_while_the_other_is_applied(log: Log) -> Fleet:
        fleet = await read_fleet(log)
        if not second:
            second.append(asyncio.create_task(world.apply(other, connection=connection)))
            await second[0]
        return fleet

    monkeypatch.setattr(commands, "read_fleet", read_while_the_other_is_applied)
    try:
        refused = await world.apply(one)
        assert isinstance(second[0].result(), Written)
    finally:
        await connection.close()
    assert refused == Refused(f"rollout {other} of {BOOKING} is running: complete, abort or roll it back first")
    assert [await world.state(one), await world.state(other)] == ["aborted", "running"]


def _whatever_is_open(started: RolloutStarted, _fleet: Fleet) -> RolloutStarted:
    return started


async def test_a_second_rollout_whose_starter_died_at_once_is_ended_before_it_feeds_anybody(world: World) -> None:
    await world.clinics(3)
    old, new = await world.publish(LOOKING), await world.publish("Says even more.")
    first, second = [(await world.plan(version)).order.rollout_id for version in (old, new)]
    for rollout_id, version in ((first, old), (second, new)):  # each decided on a fleet without the other
        started = RolloutStarted(rollout_id, BOOKING, version, (EVERYBODY,), "a test's", None)
        await write(world.log, rollout_stream(rollout_id), partial(_whatever_is_open, started), actor="operator")
    await world.rest()
    assert [await world.state(first), await world.state(second)] == ["completed", "aborted"]
    assert set((await world.versions()).values()) == {old}
    word = (await world.status(second)).last_word
    assert word is not None
    assert word.reason == f"rollout {first} was started in the same moment"


async def test_a_rollout_that_is_applied_twice_at_once_starts_once(world: World) -> None:
    await world.clinics(2)
    rollout_id = (await world.plan(await world.publish(LOOKING))).order.rollout_id
    connection = await db.SESSIONS.connect(world.url, application_name="test")
    try:
        answers = await asyncio.gather(world.apply(rollout_id), world.apply(rollout_id, connection=connection))
    finally:
        await connection.close()
    assert sorted(type(answer).__name__ for answer in answers) == ["Refused", "Written"]
    assert len(await world.positions("RolloutStarted")) == 2  # the release's first order, and this one


@pytest.mark.parametrize(
    ("tool", "version", "why"),
    [
        ("nothing", 1, "nobody has published a tool nothing"),
        (BOOKING, 9, f"{BOOKING} has no version 9; there is 2, 3"),
        (BOOKING, 3, f"version 3 of {BOOKING} was withdrawn"),
    ],
)
async def test_what_cannot_be_ordered_is_not_planned(world: World, tool: str, version: int, why: str) -> None:
    await world.publish(LOOKING)
    await world.decide(BOOKING, lambda fleet: withdrawn(fleet, BOOKING, 3, "wrong"))
    refused = await plan_order(world.connection, world.log, tool, version, (EVERYBODY,), actor="operator")
    assert refused == Refused(why)
    assert await world.positions("RolloutPlanned") == []


async def test_a_version_that_was_withdrawn_since_it_was_planned_is_not_started(world: World) -> None:
    await world.clinics(1)
    rollout_id = (await world.plan(await world.publish(LOOKING))).order.rollout_id
    await world.decide(BOOKING, lambda fleet: withdrawn(fleet, BOOKING, 3, "wrong"))
    assert await world.apply(rollout_id) == Refused(f"version 3 of {BOOKING} was withdrawn")


async def test_stages_that_hold_nobody_are_refused(world: World) -> None:
    await world.clinics(1)
    nobody = (RolloutStage("own", orgs=("0c5c1e7a-0000-4000-8000-000000000001",)),)
    refused = await plan_order(world.connection, world.log, BOOKING, 2, nobody, actor="operator")
    assert refused == Refused("no stage holds any clinic: nobody would get it")


async def test_an_id_that_another_rollout_has_is_not_taken_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.clinics(1)
    planned = await world.plan(2)

    class Same:
        hex = planned.order.rollout_id

    monkeypatch.setattr(plans, "uuid4", Same)
    refused = await plan_order(world.connection, world.log, BOOKING, None, (EVERYBODY,), actor="operator")
    assert refused == Refused(f"there is a rollout {Same.hex} already: plan it anew")
    kept: RolloutPlanned = (await world.fleet()).plans[Same.hex][0]
    assert kept.version == 2


async def test_a_rollout_that_is_over_makes_room_for_the_next_one(world: World) -> None:
    await world.clinics(2)
    version = await world.publish(LOOKING)
    first = await world.start(version)
    second = (await world.plan(2)).order.rollout_id
    await world.command(first, "pause")
    refused = await world.apply(second)
    assert refused == Refused(f"rollout {first} of {BOOKING} is paused: complete, abort or roll it back first")
    await world.command(first, "abort")
    assert isinstance(await world.apply(second), Written)
