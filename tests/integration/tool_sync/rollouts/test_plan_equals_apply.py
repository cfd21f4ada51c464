"""What a plan says is what happens: the same clinics, the same calls, and nothing beside them.

`python -m tests.fleets` does it for a thousand fleets.
"""

from typing import Any
from uuid import UUID

import pytest

from tool_sync.domain.events import RolloutStage
from tool_sync.domain.events.rollout import RINGS
from tool_sync.domain.fleet import ring_of, work
from tool_sync.domain.fleet.work import Work
from tool_sync.rollouts import due, plan

from . import plan_judge
from .plan_judge import judge_fleet, planned_works
from .world import World

FLEETS = 16


@pytest.mark.parametrize("seed", range(FLEETS))
async def test_a_plan_for_any_fleet_is_what_happens(world: World, seed: int) -> None:
    judged = await judge_fleet(world, seed)
    assert judged.problems == []


DISTURBED_BY_NOBODY = 2
"""A seed of some updates and a removal, whose clinics do nothing of their own meanwhile."""


async def test_a_write_that_the_plan_has_not_said_is_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def all_but_one(*arguments: Any) -> dict[UUID, Work]:
        works = planned_works(*arguments)
        del works[next(org_id for org_id, its in works.items() if its == "update")]
        return works

    monkeypatch.setattr(plan_judge, "planned_works", all_but_one)
    said = (await judge_fleet(world, DISTURBED_BY_NOBODY)).problems
    assert any("planned to None" in one and "'PATCH /tool/{id}': 1} more than that" in one for one in said), said


async def test_a_pair_that_nobody_is_fed_for_is_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due, "WORK", frozenset[Any]())
    said = (await judge_fleet(world, DISTURBED_BY_NOBODY)).problems
    assert any("planned to" in one and "not " in one for one in said), said
    assert any("still linked" in one or "at Vapi" in one for one in said), said
    assert any("is left to" in one for one in said), said


async def test_calls_that_the_plan_has_not_counted_are_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "CALLS_PER_ASSISTANT", 1)
    said = (await judge_fleet(world, DISTURBED_BY_NOBODY)).problems
    assert any("calls, planned" in one for one in said), said


async def test_groups_that_are_counted_wrong_are_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "work_of", lambda *_arguments: "already")
    said = (await judge_fleet(world, DISTURBED_BY_NOBODY)).problems
    assert any("clinic by clinic" in one for one in said), said


async def test_the_database_s_rings_are_those_of_the_code(world: World) -> None:
    rows = await world.connection.fetch(
        "SELECT id, ring_of(id) AS ring FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, 500)) ids"
    )
    assert [row["ring"] for row in rows] == [ring_of(str(row["id"])) for row in rows]


async def test_a_plan_tells_its_stages_and_who_is_of_none(world: World) -> None:
    clinics = await world.clinics(10)
    version = await world.publish("Says that it is looking.")
    half = RolloutStage("half", RINGS // 2)
    own = RolloutStage("own", orgs=tuple(map(str, clinics[:3])))
    planned = await world.plan(version, (own, half))
    low = {org_id for org_id in clinics[3:] if ring_of(str(org_id)) < RINGS // 2}
    assert [sum(tally.clinics.values()) for tally in planned.stages] == [3, len(low)]
    assert planned.outside == 7 - len(low)
    assert planned.event.counts.update == planned.event.counts.calls == 3 + len(low)
    assert await world.calls() == []
