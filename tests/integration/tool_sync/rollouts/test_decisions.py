"""Every write that was ever announced, decided again: what tool-sync did is justified, and nothing else is."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from devstack.databases import DatabaseUrls
from tool_sync.domain.events import OrgTierChanged, ToolPinned, ToolSettingChanged, ToolUpdateStarted
from tool_sync.domain.fleet import Fleet
from tool_sync.log import fact, toolset_stream
from tool_sync.queries.decisions import DecisionsJudged, judge_decisions
from tool_sync.queries.other_rules import Without
from tool_sync.rollouts.publish import halted

from ..command import command
from .context import stages
from .limits import BOOKING
from .world import World

CANCEL = "cancelAppointment"


async def judged(world: World) -> DecisionsJudged:
    return await judge_decisions(world.connection, lambda _done, _total: None)


async def test_a_life_of_orders_settings_and_tiers_is_justified_write_by_write(world: World) -> None:
    first, second, third = await world.clinics(3)
    await world.complete(await world.publish("Says that it is looking."))
    gone = await world.complete(2, CANCEL)
    await world.say(first, ToolSettingChanged(BOOKING, False, "double bookings"))
    await world.say(second, OrgTierChanged("professional"))
    await world.rest()
    await world.command(gone, "rollback")
    await world.rest()
    await world.say(first, ToolSettingChanged(BOOKING, True))
    await world.rest()
    half = await world.start(await world.publish("Says it in other words."), stages((third,), ()))
    await world.rest()
    await world.command(half, "abort")
    await world.clinic()
    await world.sync()

    found = await judged(world)

    assert (found.unjustified, found.findings, found.older) == (0, [], 0)
    tools = await world.positions("ToolRegistrationStarted", "ToolUpdateStarted")
    links = await world.positions("AssistantLinkStarted")
    assert found.writes == len(tools) + len(links) > 12


def _of_a_rolled_back_order(fleet: Fleet, event: ToolUpdateStarted) -> ToolUpdateStarted:
    return replace(event, fleet_position=fleet.position)


def _of_another_order(_fleet: Fleet, event: ToolUpdateStarted) -> ToolUpdateStarted:
    return replace(event, order="somebody's")


def _of_an_older_version(fleet: Fleet, event: ToolUpdateStarted) -> ToolUpdateStarted:
    older = fleet.versions[BOOKING][2]
    return replace(event, definition_version=2, definition_hash=older.definition_hash)


@pytest.mark.parametrize("forged", [_of_a_rolled_back_order, _of_another_order, _of_an_older_version])
async def test_a_write_that_nothing_ordered_is_named(
    world: World, forged: Callable[[Fleet, ToolUpdateStarted], ToolUpdateStarted]
) -> None:
    (org_id,) = await world.clinics(1)
    rollout_id = await world.complete(await world.publish("Says that it is looking."))
    (done,) = await world.events(org_id, ToolUpdateStarted)
    if forged is _of_a_rolled_back_order:
        await world.command(rollout_id, "rollback")
        await world.rest()
    position = await _append(world, org_id, replace(forged(await world.fleet(), done), attempt_id=uuid4()))

    found = await judged(world)

    assert (found.unjustified, [finding.position for finding in found.findings]) == (1, [position])
    assert BOOKING in found.findings[0].what


async def _append(world: World, org_id: UUID, event: ToolUpdateStarted) -> int:
    """As somebody would who writes past the decider."""
    request = fact(
        toolset_stream(org_id), org_id, event, source="/test", cause=str(uuid4()), actor="test", service_version="0"
    )
    result = await world.log.append(request)
    return int(result.first_position)  # type: ignore[union-attr]


async def _without(world: World, rule: Without) -> list[tuple[str, UUID, str]]:
    found = await judge_decisions(world.connection, lambda _done, _total: None, rule)
    assert (found.unjustified, found.without, found.otherwise) == (0, rule, len(found.differences))
    return [(one.kind, one.org_id, one.what) for one in found.differences]


async def test_a_rule_is_taken_away_and_what_would_have_been_otherwise_is_listed(world: World) -> None:
    off, pinned, low, other = await world.clinics(4)
    fleet = await world.fleet()
    held = fleet.versions[BOOKING][2]
    until = datetime.now(UTC) + timedelta(days=1)
    await world.say(off, ToolSettingChanged(BOOKING, False, "double bookings"))
    newest = await world.publish("Says that it is looking.")
    await world.complete(newest)
    await world.say(pinned, ToolPinned(BOOKING, 2, held.definition_hash, "basic", until, "as it was"))
    await world.say(low, OrgTierChanged("professional"))
    await world.rest()
    await world.complete(await world.publish("For some.", CANCEL, tier="professional"), CANCEL)
    await world.say(low, OrgTierChanged("basic"))
    await world.rest()

    assert await _without(world, Without.SETTINGS) == [
        ("retirement", off, f"{BOOKING} is taken away (setting); it would have stayed")
    ]
    (back,) = await _without(world, Without.PINS)
    assert back[:2] == ("tool", pinned)
    assert f"{BOOKING} 2 is written for order None; the clinic should have {newest} by" in back[2]
    assert await _without(world, Without.TIERS) == [
        ("retirement", low, f"{CANCEL} is taken away (tier); it would have stayed")
    ]
    assert await _without(world, Without.HALTS) == []
    await world.decide(BOOKING, lambda fleet: halted(fleet, BOOKING, "double bookings"))
    await world.rest()
    taken = f"{BOOKING} is taken away (halted); it would have stayed"
    assert {(kind, what) for kind, _, what in await _without(world, Without.HALTS)} == {("retirement", taken)}
    assert {org_id for _, org_id, _ in await _without(world, Without.HALTS)} == {pinned, low, other}


async def test_the_command_says_what_would_have_been_otherwise_and_ends_well(
    world: World, tool_sync_db: DatabaseUrls
) -> None:
    (off,) = await world.clinics(1)
    await world.say(off, ToolSettingChanged(BOOKING, False, "double bookings"))
    await world.sync()
    status, stdout, _ = await command("log", "decisions", "--without", "settings", database_url=tool_sync_db.service)
    assert status == 0
    said = " ".join(stdout.split())
    assert f"organization {off}: without settings: {BOOKING} is taken away (setting)" in said
    assert "without settings 1 decision(s) would have been otherwise" in said
    assert "what would have been written besides" in said
    status, _, stderr = await command("log", "decisions", "--without", "luck", database_url=tool_sync_db.service)
    assert (status, "settings" in stderr) == (2, True)
