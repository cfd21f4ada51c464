"""Whether a plan is what happens: the sandbox's journal beside the plan's pairs, for a fleet of a seed.

G1  a clinic is written to only where the plan has said so, and no more than the plan has said of it
    each pair of the plan that stayed true was made, and is so at Vapi
    the calls, reads included, are as many as the plan has counted

Of a clinic for which something has arrived since the plan, only the end is judged: it is as decided.
"""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

from tool_sync.domain.fleet.decide import contains, decide_tool
from tool_sync.domain.fleet.work import ClinicFacts, Work, work_of
from tool_sync.rollouts.applying import PlanChanged
from tool_sync.rollouts.due import WORK
from tool_sync.rollouts.facts import page_of
from tool_sync.rollouts.plan import Planned

from .random_fleets import make_fleet, something_arrives
from .world import World

OF_LISTS = ("GET /tool", "GET /tool/{id}")
"""The read-back's own."""
OF_TESTS = ("POST /assistant",)
"""tool-sync makes no assistant; the test does."""
ARRIVALS_SHARE = 0.4
"""Of the fleets: clinics do something of their own meanwhile."""


@dataclass(slots=True)
class Judged:
    """What became of a fleet. ``pairs``: clinics by the plan's work, ``changed``: clinics that did something since."""

    seed: int
    problems: list[str] = field(default_factory=list)
    pairs: Counter[Work] = field(default_factory=Counter)
    changed: int = 0
    calls: int = 0
    planned_calls: int = 0
    was_refused: bool = False


async def judge_fleet(world: World, seed: int) -> Judged:
    """Make the fleet, plan its order, apply it, let it be done, and compare."""
    random, judged = Random(seed), Judged(seed)
    ordered = await make_fleet(world, random)
    before = await facts_of_all(world, ordered.tool)
    if not any(contains(stage, one.clinic) for stage in ordered.stages for one in before.values()):
        return judged  # nobody would get it: there is no such plan
    planned = await world.plan(ordered.version, ordered.stages, ordered.tool)
    works = planned_works(planned, before)
    judged.pairs.update(works.values())
    judged.problems += miscounted(planned, works, before)
    changed = set[UUID]()
    arrives = random.random() < ARRIVALS_SHARE
    if arrives and random.random() < 0.5:
        changed |= await something_arrives(world, random, list(world.agents))
    judged.was_refused = isinstance(await world.apply(planned.order.rollout_id, planned.digest), PlanChanged)
    if arrives and not judged.was_refused:
        await world.feeder.run_once()
        changed |= await something_arrives(world, random, list(world.agents))
    await world.rest()
    if changed:  # a save tries again what Vapi had refused, after the walk had counted it
        await world.rest_a_minute_later()
    if "refused" in works.values() and not judged.was_refused:
        await _promote(world, planned)
    judged.changed = len(changed)
    found = await facts_of_all(world, ordered.tool)
    if judged.was_refused:
        works = {}
    else:
        judged.problems += [p async for p in _ended(world, planned, found)]
    entries = (await world.http.get("/__sandbox/journal", params={"limit": 10_000})).json()["entries"]
    judged.problems += unplanned(await written(world, entries), works, before, changed)
    judged.problems += undone(works, found, changed, planned)
    judged.problems += await _otherwise_at_vapi(world, ordered.tool, works, changed, planned)
    sent = [e["route"] for e in entries if e["route"] not in (*OF_LISTS, *OF_TESTS)]
    judged.calls, judged.planned_calls = len(sent), planned.tally.calls
    if not changed and judged.calls != judged.planned_calls:
        judged.problems.append(f"{judged.calls} calls, planned {judged.planned_calls}: {Counter(sent)}")
    return judged


async def _promote(world: World, planned: Planned) -> None:
    """The plan has said that Vapi refuses it for some: where these are too many of a stage, it waits for a person."""
    rollout_id = planned.order.rollout_id
    for _ in planned.order.stages:
        if (await world.status(rollout_id)).waits is not None:
            await world.command(rollout_id, "promote")
            await world.rest()


async def facts_of_all(world: World, tool: str) -> dict[UUID, ClinicFacts]:
    """What the tables hold of every open clinic."""
    page = await page_of(world.connection, tool, None, 1000, world.context.clock.now())
    return {UUID(facts.clinic.org_id): facts for facts in page}


def planned_works(planned: Planned, facts: Mapping[UUID, ClinicFacts]) -> dict[UUID, Work]:
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


def miscounted(planned: Planned, works: Mapping[UUID, Work], facts: Collection[UUID]) -> Iterator[str]:
    """Where the plan, which counts groups of clinics, says otherwise than its clinics one by one."""
    counted = Counter({work: n for work, n in planned.tally.clinics.items() if n})
    if Counter(works.values()) != counted:
        yield f"counted as {counted}, clinic by clinic {Counter(works.values())}"
    if planned.outside != len(facts) - len(works):
        yield f"{planned.outside} outside, clinic by clinic {len(facts) - len(works)}"


async def written(world: World, entries: list[dict[str, Any]]) -> dict[UUID, Counter[str]]:
    """By clinic, the writes that were executed. Raises :class:`KeyError` for a write to what is nobody's."""
    rows = await world.connection.fetch(
        "SELECT org_id, data->>'vapi_tool_id' AS id FROM events WHERE type LIKE 'Tool%'"
    )
    owners = {row["id"]: row["org_id"] for row in rows}
    owners |= {assistant_id: org_id for org_id, ids in world.agents.items() for assistant_id in ids}
    writes: dict[UUID, Counter[str]] = {}
    for entry in entries:
        if not entry["executed"] or entry["method"] == "GET" or entry["route"] in OF_TESTS:
            continue
        if entry["route"] == "POST /tool":
            static = {each["key"]: each["value"] for each in entry["body"]["parameters"]}
            owner = UUID(static["organization_id"])
        else:
            owner = owners[entry["path"].rpartition("/")[2]]
        writes.setdefault(owner, Counter())[entry["route"]] += 1
    return writes


def unplanned(
    writes: Mapping[UUID, Counter[str]],
    works: Mapping[UUID, Work],
    before: Mapping[UUID, ClinicFacts],
    changed: Collection[UUID],
) -> Iterator[str]:
    """Writes that the plan has not said."""
    for org_id in writes.keys() - set(changed):
        work, did = works.get(org_id), writes[org_id]
        if more := did - allowed(work, before.get(org_id)):
            yield f"{org_id}, planned to {work}: {dict(more)} more than that, of {dict(did)}"


def allowed(work: Work | None, facts: ClinicFacts | None) -> Counter[str]:
    """The writes that a pair of a plan may come to."""
    match work:
        case "update":
            return Counter({"PATCH /tool/{id}": 1})
        case "add":
            assert facts is not None
            # A tool that the clinic lost less than a day ago is still there: it is updated, or linked as it is.
            return Counter({"POST /tool": 1, "PATCH /tool/{id}": 1, "PATCH /assistant/{id}": facts.assistants})
        case "remove":
            assert facts is not None
            return Counter({"PATCH /assistant/{id}": facts.assistants})
        case _:
            return Counter()


def undone(
    works: Mapping[UUID, Work], after: Mapping[UUID, ClinicFacts], changed: Collection[UUID], planned: Planned
) -> Iterator[str]:
    """Pairs that stayed true, and were not made."""
    version = planned.order.gives
    for org_id in works.keys() - set(changed):
        wanted = version.definition_hash if version is not None and works[org_id] != "remove" else None
        if works[org_id] in WORK and (after[org_id].definition_hash != wanted or after[org_id].unlinked):
            yield f"{org_id}, planned to {works[org_id]}: has {after[org_id].definition_hash}, not {wanted}"


async def _ended(world: World, planned: Planned, found: Mapping[UUID, ClinicFacts]) -> AsyncIterator[str]:
    rollout_id, tool = planned.order.rollout_id, planned.order.tool
    if await world.state(rollout_id) != "completed":
        yield f"it is not complete: {await world.status(rollout_id)}"
    fleet = await world.fleet()
    for org_id, facts in found.items():
        if (left := work_of(facts, fleet, tool)) in WORK:
            yield f"{org_id} is left to {left}"


async def _otherwise_at_vapi(
    world: World, tool: str, works: Mapping[UUID, Work], changed: Collection[UUID], planned: Planned
) -> list[str]:
    """Clinics whose tool, or an assistant's link of it, is otherwise in the sandbox than planned."""
    state = await world.at_vapi()
    version = planned.order.gives
    mine = [one for one in state["tools"] if one["function"]["name"] == tool]
    assistants = {one["id"]: one.get("model", {}).get("toolIds", []) for one in state["assistants"]}
    problems = []
    for org_id in works.keys() - set(changed):
        if works[org_id] not in WORK:
            continue
        its = [one for one in mine if _org_of(one) == str(org_id)]
        ids = {one["id"] for one in its}
        linked = [len(ids & set(assistants[each])) for each in world.agents[org_id]]
        if works[org_id] == "remove":
            if any(linked):
                problems.append(f"{org_id}: still linked at Vapi")
            continue
        assert version is not None
        if [one["function"]["description"] for one in its] != [version.document["function"]["description"]]:
            problems.append(f"{org_id}: {len(its)} tools at Vapi, or another version of it")
        if linked != [1] * len(linked):
            problems.append(f"{org_id}: linked {linked} times at Vapi")
    return problems


def _org_of(tool: Mapping[str, Any]) -> str:
    return next(str(each["value"]) for each in tool["parameters"] if each["key"] == "organization_id")
