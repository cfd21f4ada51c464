"""Vapi's clock is not ours: a lost tool is found all the same, and a surplus one is as old as it is."""

from datetime import timedelta
from uuid import uuid4

import pytest

from tool_sync.domain.events import SurplusDeleted, SurplusDeleteStarted, SurplusFound, ToolRegistered

from .test_deletion import until_event
from .test_faults import is_whole, rule, synced
from .test_surplus import ids, race, worker
from .world import World

LOST = {"kind": "reset", "commit": True}
MINUTES = [25, -25, 23 * 60, -23 * 60]


def ms(minutes: int) -> int:
    return minutes * 60_000


@pytest.mark.parametrize("minutes", MINUTES)
@pytest.mark.parametrize("told", [True, False], ids=["Vapi has told its time", "Vapi has told nothing yet"])
async def test_a_lost_tool_is_found_whatever_vapis_clock_says(world: World, minutes: int, told: bool) -> None:
    org, assistant = uuid4(), await world.assistant()
    await world.turn(clock_skew_ms=ms(minutes))
    if told:
        other = uuid4()
        await world.save(other, await world.assistant())
        await synced(world, other)
    before = len(await world.tools())
    await world.turn(clock_skew_ms=ms(minutes), rules=[rule("POST /tool", LOST)])
    await world.save(org, assistant)

    await synced(world, org)

    (registered,) = await world.events(org, ToolRegistered)
    assert registered.adopted
    assert len(await world.tools()) == before + 1
    if not told:
        await is_whole(world, org, assistant)


async def test_a_lost_tool_is_found_though_vapis_clock_was_set_in_between(world: World) -> None:
    org, assistant, other = uuid4(), await world.assistant(), uuid4()
    await world.turn(clock_skew_ms=ms(-25))
    await world.save(other, await world.assistant())
    await synced(world, other)
    await world.turn(clock_skew_ms=ms(-25), rules=[rule("POST /tool", LOST)])
    await world.save(org, assistant)
    await world.sync()
    await world.turn(clock_skew_ms=0)
    await world.save(other, await world.assistant())

    await synced(world, other, 2)
    await synced(world, org)

    assert len(await world.tools()) == 2


@pytest.mark.parametrize("minutes", [25, -25])
async def test_a_surplus_tool_is_deleted_when_it_is_old_enough_by_its_own_clock(world: World, minutes: int) -> None:
    org, assistant = uuid4(), await world.assistant()
    world.reconciler = worker(world, age=3)
    await world.turn(clock_skew_ms=ms(minutes))
    other = uuid4()
    await world.save(other, await world.assistant())
    await synced(world, other)
    surplus = await race(world, org, assistant, clock_skew_ms=ms(minutes))
    (found,) = await until_event(world, org, SurplusFound)

    (deleted,) = await until_event(world, org, SurplusDeleted)

    assert found.vapi_tool_id == deleted.vapi_tool_id == surplus
    assert surplus not in await ids(world)
    history = await world.history(org)
    noted = next(s.recorded_at for s in history if isinstance(s.event, SurplusFound))
    begun = next(s.recorded_at for s in history if isinstance(s.event, SurplusDeleteStarted))
    assert abs(noted - found.created_at) < timedelta(seconds=60)
    assert begun - found.created_at >= timedelta(seconds=3)
