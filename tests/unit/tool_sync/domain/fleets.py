"""Words for the tests of the fleet: versions and orders as events, the fleet after them, and clinics of a ring."""

from collections.abc import Collection
from itertools import count
from uuid import UUID

from tool_sync.domain.events import (
    BlueprintPublished,
    ContractsAnswered,
    DriftPolicySet,
    FleetEvent,
    RolloutCompleted,
    RolloutStage,
    RolloutStarted,
    ToolHalted,
    ToolResumed,
    VersionWithdrawn,
)
from tool_sync.domain.events.rollout import RINGS
from tool_sync.domain.fleet import Fleet, evolve_fleet, ring_of
from tool_sync.domain.toolset import Recorded

from .builders import after

ORG = UUID("0c5c1e7a-0000-4000-8000-000000000001")

EVERYBODY = RolloutStage("all", RINGS)
OWN = RolloutStage("own", orgs=(str(ORG),))
OTHERS = RolloutStage("others", orgs=("another clinic",))


def published(
    name: str = "book", version: int = 1, tier: str = "basic", contract: int = 0, definition_hash: str | None = None
) -> BlueprintPublished:
    """A version whose document names it; another service answers it, unless a contract is given."""
    digest = definition_hash or f"hash-{name}-{version}"
    document = {"function": {"name": name}, "parameters": [{"key": "definition_version", "value": version}]}
    return BlueprintPublished(name, version, tier, False, digest, document, contract)


def started(
    rollout_id: str, version: int | None = 1, stages: tuple[RolloutStage, ...] = (EVERYBODY,), tool: str = "book"
) -> RolloutStarted:
    return RolloutStarted(rollout_id, tool, version, stages, "tried", None)


def completed(rollout_id: str, tool: str = "book") -> RolloutCompleted:
    return RolloutCompleted(rollout_id, tool, "gate")


def ordered(rollout_id: str, version: int | None = 1, tool: str = "book") -> tuple[FleetEvent, ...]:
    """An order for every clinic that is completed."""
    return started(rollout_id, version, tool=tool), completed(rollout_id, tool)


def stream_of(event: FleetEvent) -> str:
    """The stream that an event of no org is in."""
    match event:
        case ContractsAnswered():
            return "blueprint-~contracts"
        case BlueprintPublished() | VersionWithdrawn() | ToolHalted() | ToolResumed() | DriftPolicySet():
            return f"blueprint-{event.name}"
        case _:
            return f"rollout-{event.rollout_id}"


def fleet_of(*events: FleetEvent, answered: Collection[tuple[str, int]] = ()) -> Fleet:
    """The fleet after these events, at positions 1, 2, 3 …, each recorded so many seconds after the first of all."""
    return and_then(Fleet(answered=frozenset(answered)), *events)


def and_then(fleet: Fleet, *events: FleetEvent, actor: str = "operator") -> Fleet:
    """The fleet after further events, all of them of one person."""
    for event in events:
        position = fleet.position + 1
        fleet = evolve_fleet(fleet, stream_of(event), Recorded(position, after(position), event, actor=actor))
    return fleet


def org_of_ring(below: int = RINGS, at_least: int = 0) -> str:
    """The id of a clinic whose ring is within these bounds."""
    return next(org_id for n in count() if at_least <= ring_of(org_id := str(UUID(int=n))) < below)
