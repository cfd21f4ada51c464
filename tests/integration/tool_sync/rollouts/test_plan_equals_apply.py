"""What a plan says is what happens: the same clinics, the same calls, and nothing beside them."""

from collections import Counter
from uuid import UUID

import pytest

from tool_sync.domain.events import Event, RolloutStage
from tool_sync.domain.events.rollout import RINGS
from tool_sync.domain.fleet import ring_of
from tool_sync.domain.fleet.decide import decide_tool
from tool_sync.domain.fleet.work import ClinicFacts, Work, work_of
from tool_sync.rollouts.facts import page_of
from tool_sync.rollouts.plan import Planned

from .random_fleets import make_fleet
from .world import World

OF_LISTS = ("GET /tool", "GET /tool/{id}")
"""The read-back's own."""


@pytest.mark.parametrize("seed", range(24))
async def test_a_plan_for_any_fleet_is_what_happens(world: World, seed: int) -> None:
    ordered = await make_fleet(world, seed)
    planned = await world.plan(ordered.version, ordered.stages, ordered.tool)
    before = await facts_of_all(world, ordered.tool)
    works = planned_works(planned, before)
    assert Counter(works.values()) == Counter({work: n for work, n in planned.tally.clinics.items() if n})
    assert planned.outside == len(before) - len(works)

    await world.apply(planned.order.rollout_id, planned.digest)
    await world.rest()
    assert await world.state(planned.order.rollout_id) == "completed", await world.status(planned.order.rollout_id)
    after = await facts_of_all(world, ordered.tool)
    for org_id, facts in after.items():
        await check_clinic(world, planned, org_id, works.get(org_id), before[org_id], facts)
    kept = sum(one.was_kept for one in [await added_again(world, ordered.tool, org_id) for org_id in works])
    sent = [call for call in await world.calls() + await world.calls(reads=True) if call not in OF_LISTS]
    assert len(sent) == planned.tally.calls - kept


class AddedAgain:
    """A clinic that lost the tool less than a day ago and gets the same one back: no ``POST``, which a plan counts."""

    def __init__(self, events: list[Event]) -> None:
        names = [type(event).__name__ for event in events]
        self.was_kept = "ToolReinstated" in names and "ToolUpdated" not in names


async def added_again(world: World, tool: str, org_id: UUID) -> AddedAgain:
    events = await world.events(org_id)
    return AddedAgain([event for event in events if getattr(event, "name", tool) == tool])


async def facts_of_all(world: World, tool: str) -> dict[UUID, ClinicFacts]:
    page = await page_of(world.connection, tool, None, 1000)
    return {UUID(facts.clinic.org_id): facts for facts in page}


def planned_works(planned: Planned, facts: dict[UUID, ClinicFacts]) -> dict[UUID, Work]:
    """By clinic that the planned order holds, what the plan says of it."""
    order, fleet = planned.order, planned.fleet
    held = {
        org_id: made.order
        for org_id, one in facts.items()
        if (made := decide_tool(one.clinic, fleet, order.tool)).order is not None
    }
    return {
        org_id: work_of(facts[org_id], fleet, order.tool)
        for org_id, its in held.items()
        if its.rollout_id == order.rollout_id
    }


async def check_clinic(
    world: World, planned: Planned, org_id: UUID, work: Work | None, before: ClinicFacts, after: ClinicFacts
) -> None:
    """Whether the clinic is what the plan said it would be, by what its stream and its row hold."""
    version = planned.order.version
    wanted = None if version is None else planned.fleet.versions[planned.order.tool][version].definition_hash
    names = Counter(type(event).__name__ for event in await world.events(org_id))
    match work:
        case "update":
            assert names == {"ToolUpdateStarted": 1, "ToolUpdated": 1}
            assert after.definition_hash == wanted
        case "add":
            assert after.definition_hash == wanted
            assert names["AssistantSynced"] == before.assistants
        case "remove":
            assert after.definition_hash is None
            assert names["AssistantSynced"] == before.assistants
        case _:
            assert names == {}
            assert after.definition_hash == before.definition_hash


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
