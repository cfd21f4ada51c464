"""Fleets of a seed: clinics of any tier, setting and number of assistants, with what earlier rollouts left behind."""

from dataclasses import dataclass
from random import Random
from uuid import UUID

from tool_sync.domain.events import (
    OrgClosed,
    OrgTierChanged,
    RolloutStage,
    ToolHalted,
    ToolResumed,
    ToolSettingChanged,
)
from tool_sync.domain.events.rollout import RINGS
from tool_sync.domain.fleet.decide import TIERS

from .context import EVERYBODY
from .limits import BOOKING, CANCELLING
from .world import World

CLINICS = (6, 12, 24)
"""One of 24 may change before a plan is applied, which is less than a twentieth."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """What is to be planned."""

    tool: str
    version: int | None
    stages: tuple[RolloutStage, ...]


async def make_fleet(world: World, random: Random) -> Ordered:
    """A fleet after some history, and an order for it. Nothing of it is under way."""
    clinics = await _clinics(world, random)
    for _ in range(random.randrange(3)):
        await _earlier_rollout(world, random, clinics)
    if random.random() < 0.15:
        await _earlier_halt(world, random.choice((BOOKING, CANCELLING)))
    for org_id in clinics:
        if random.random() < 0.2:
            name = random.choice((BOOKING, CANCELLING))
            await world.say(org_id, ToolSettingChanged(name, enabled=False))
        if random.random() < 0.1:
            await world.say(org_id, OrgClosed())
    await world.rest()
    ordered = await _order(world, random, clinics)
    await world.begin()
    return ordered


async def _clinics(world: World, random: Random) -> list[UUID]:
    made = [
        await world.clinic(
            assistants=random.choice((0, 1, 1, 1, 2, 3)),
            tier=random.choice(TIERS),
            org_id=UUID(int=random.getrandbits(128), version=4),
        )
        for _ in range(random.choice(CLINICS))
    ]
    await world.sync()
    return made


async def _earlier_rollout(world: World, random: Random, clinics: list[UUID]) -> None:
    """Versions that some or all clinics have, or are refused: by a rollout that completed, or was ended half-way."""
    some = RolloutStage("some", orgs=tuple(map(str, random.sample(clinics, 4))), bake_seconds=3600)
    name = random.choice((BOOKING, BOOKING, CANCELLING))
    version = await world.publish(f"Text {random.random()}.", name, tier=random.choice(TIERS[:2]))
    refused = random.sample(clinics, random.choice((0, 0, 1)))
    await world.refuse(*refused)
    rollout_id = await world.start(version, (some, EVERYBODY), name)
    ends = random.choice(("abort", "abort at once", "complete", "rollback", "rollback late"))
    if ends == "abort at once":
        await world.feeder.run_once()
    else:
        await world.rest()
    if ends in ("complete", "rollback late"):
        for _ in range(2):  # a stage of which Vapi refuses too much waits for a person
            if await world.state(rollout_id) == "running":
                await world.command(rollout_id, "promote")
                await world.rest()
    if ends.startswith("rollback"):
        await world.command(rollout_id, "rollback")
    elif ends.startswith("abort"):
        await world.command(rollout_id, "abort")
    await world.dials(rules=[])
    await world.rest()


async def _earlier_halt(world: World, name: str) -> None:
    """Every clinic loses the tool, and gets it back within the day."""
    await world.decide(name, lambda _fleet: ToolHalted(name, "a test's"))
    await world.rest()
    await world.decide(name, lambda _fleet: ToolResumed(name, "a test's"))
    await world.rest()


async def _order(world: World, random: Random, clinics: list[UUID]) -> Ordered:
    name = random.choice((BOOKING, BOOKING, CANCELLING))
    kind = random.choice(("new", "new", "older", "none"))
    version: int | None = None
    if kind == "new":
        version = await world.publish(f"Text {random.random()}.", name, tier=random.choice(TIERS))
    elif kind == "older":
        version = random.choice(sorted((await world.fleet()).versions[name]))
    some = RolloutStage("some", orgs=tuple(map(str, random.sample(clinics, random.randrange(1, 6)))))
    half = RolloutStage("half", RINGS // 2, random.choice(((), TIERS[1:])))
    return Ordered(name, version, random.choice(((EVERYBODY,), (some, EVERYBODY), (some, half), (half, EVERYBODY))))


async def something_arrives(world: World, random: Random, clinics: list[UUID]) -> set[UUID]:
    """What clinics themselves do while an order is planned or followed; who has done it."""
    org_id = random.choice(clinics)
    match random.choice(("off", "on", "tier", "closed", "assistant", "signup")):
        case "off" | "on" as what:
            await world.say(org_id, ToolSettingChanged(random.choice((BOOKING, CANCELLING)), enabled=what == "on"))
        case "tier":
            await world.say(org_id, OrgTierChanged(random.choice(TIERS)))
        case "closed":
            await world.say(org_id, OrgClosed())
        case "assistant":
            await world.save(org_id, f"agent-{len(world.agents[org_id])}")
        case _:
            org_id = await world.clinic(org_id=UUID(int=random.getrandbits(128), version=4))
    return {org_id}
