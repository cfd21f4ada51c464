"""Fleets of a seed: clinics of any tier, setting and number of assistants, with what earlier rollouts left behind."""

from dataclasses import dataclass
from random import Random
from uuid import UUID

from tool_sync.domain.events import OrgClosed, RolloutStage, ToolSettingChanged
from tool_sync.domain.events.rollout import RINGS
from tool_sync.domain.fleet.decide import TIERS

from .context import EVERYBODY
from .limits import BOOKING, CANCELLING
from .world import World

CLINICS = 12


@dataclass(frozen=True, slots=True)
class Ordered:
    """What is to be planned."""

    tool: str
    version: int | None
    stages: tuple[RolloutStage, ...]


async def make_fleet(world: World, seed: int) -> Ordered:
    """A fleet after some history, and an order for it. Nothing of it is under way."""
    random = Random(seed)
    clinics = await _clinics(world, random)
    for _ in range(random.randrange(3)):
        await _earlier_rollout(world, random, clinics)
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
        for _ in range(CLINICS)
    ]
    await world.sync()
    return made


async def _earlier_rollout(world: World, random: Random, clinics: list[UUID]) -> None:
    """Versions that some or all clinics have: by a rollout that completed, or was aborted in its first stage."""
    some = RolloutStage("some", orgs=tuple(map(str, random.sample(clinics, 4))), bake_seconds=3600)
    name = random.choice((BOOKING, BOOKING, CANCELLING))
    version = await world.publish(f"Text {random.random()}.", name, tier=random.choice(TIERS[:2]))
    rollout_id = await world.start(version, (some, EVERYBODY), name)
    await world.rest()
    ends = random.choice(("abort", "complete", "rollback"))
    if ends != "complete":
        await world.command(rollout_id, "abort" if ends == "abort" else "rollback")
    else:
        await world.command(rollout_id, "promote")
        await world.rest()
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
