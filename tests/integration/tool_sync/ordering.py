"""Versions published and ordered while everything runs, as an operator does it."""

from uuid import uuid4

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
from tool_sync.log import Appended, AppendRequest, EventLog, Meta, NewEvent
from tool_sync.sync.blueprint import EVERYBODY

HASH = "a" * 64
META = Meta("order-1", "order-1", None, "operator", "0")


def fleet_stream(event: FleetEvent) -> str:
    """The stream that an event of no org is written to."""
    match event:
        case ContractsAnswered():
            return "blueprint-~contracts"
        case BlueprintPublished() | VersionWithdrawn() | ToolHalted() | ToolResumed() | DriftPolicySet():
            return f"blueprint-{event.name}"
        case _:
            return f"rollout-{event.rollout_id}"


async def say(log: EventLog, *events: FleetEvent) -> None:
    """Append each event to its stream."""
    for event in events:
        request = AppendRequest(fleet_stream(event), None, None, (NewEvent(uuid4(), event),), META)
        assert isinstance(await log.append(request), Appended)


async def start(
    log: EventLog, name: str, version: int | None, *, stages: tuple[RolloutStage, ...] = (EVERYBODY,)
) -> str:
    """Order a version (None: no such tool) with its first stage open; the rollout's id."""
    rollout_id = f"r-{uuid4().hex[:8]}"
    await say(log, RolloutStarted(rollout_id, name, version, stages, "a test's", None))
    return rollout_id


async def complete(log: EventLog, name: str, version: int | None) -> str:
    """Order a version for every clinic, and let that be done; the rollout's id."""
    rollout_id = await start(log, name, version)
    await say(log, RolloutCompleted(rollout_id, name, "promoted", "a test's"))
    return rollout_id


def version(
    name: str, number: int = 1, tier: str = "basic", definition_hash: str = HASH, *, contract: int = 0
) -> BlueprintPublished:
    """The event that publishes a version of a small tool, which another service answers unless a contract is named."""
    document = {"type": "function", "function": {"name": name}, "server": {"url": "https://api.example/hook"}}
    return BlueprintPublished(name, number, tier, True, definition_hash, document, contract)


def order_of(event: BlueprintPublished) -> tuple[RolloutStarted, RolloutCompleted]:
    """What orders a version for every clinic, once: the rollout has the version's name."""
    rollout_id = f"{event.name}-v{event.version}"
    return (
        RolloutStarted(rollout_id, event.name, event.version, (EVERYBODY,), "a test's", None),
        RolloutCompleted(rollout_id, event.name, "promoted", "a test's"),
    )
