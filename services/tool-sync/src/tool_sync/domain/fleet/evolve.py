"""``evolve_fleet(fleet, stream, recorded) -> fleet``: what an event of no org changes."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final, assert_never

from tool_sync.domain.events import (
    BlueprintPublished,
    ContractsAnswered,
    FleetEvent,
    RolloutAborted,
    RolloutCompleted,
    RolloutExpired,
    RolloutPaused,
    RolloutPlanned,
    RolloutResumed,
    RolloutRolledBack,
    RolloutStageOpened,
    RolloutStarted,
    ToolHalted,
    ToolResumed,
    VersionWithdrawn,
)
from tool_sync.domain.fleet.state import Fleet, Order, Version
from tool_sync.domain.toolset import Recorded

CONTRACT_KEY: Final = "contract"
OfOrder = (
    RolloutStageOpened
    | RolloutPaused
    | RolloutResumed
    | RolloutCompleted
    | RolloutAborted
    | RolloutExpired
    | RolloutRolledBack
)


def evolve_fleet(fleet: Fleet, stream: str, recorded: Recorded) -> Fleet:
    """The fleet after an event of a blueprint or rollout stream. Never refuses: what was written has happened."""
    event = recorded.event
    assert isinstance(event, FleetEvent), f"{stream} belongs to no org, and holds {type(event).__name__}"
    versions = {**fleet.stream_versions, stream: fleet.stream_versions.get(stream, 0) + 1}
    changed_at = {**fleet.changed_at, **dict.fromkeys(_concerned(fleet, event), recorded.position)}
    return replace(
        _changed(fleet, recorded, event), position=recorded.position, stream_versions=versions, changed_at=changed_at
    )


def _concerned(fleet: Fleet, event: FleetEvent) -> Iterable[str]:
    """The tools of which some clinic may be to have something else now."""
    match event:
        case RolloutPlanned() | VersionWithdrawn():
            return ()
        case BlueprintPublished() | ToolHalted() | ToolResumed():
            return (event.name,)
        case ContractsAnswered():
            return {name for name, _ in fleet.answered ^ _pairs(event)}
        case _:
            return (event.tool,)


def _pairs(event: ContractsAnswered) -> frozenset[tuple[str, int]]:
    return frozenset((one.name, one.contract) for one in event.contracts)


def _changed(fleet: Fleet, recorded: Recorded, event: FleetEvent) -> Fleet:
    match event:
        case BlueprintPublished():
            return _published(fleet, recorded.position, event)
        case ContractsAnswered():
            return replace(fleet, answered=_pairs(event))
        case VersionWithdrawn(name=name, version=number):
            of_tool = fleet.versions.get(name, {})
            if number not in of_tool:
                return fleet
            withdrawn = {**of_tool, number: replace(of_tool[number], is_withdrawn=True)}
            return replace(fleet, versions={**fleet.versions, name: withdrawn})
        case ToolHalted(name=name, reason=reason):
            return replace(fleet, halted={**fleet.halted, name: reason})
        case ToolResumed(name=name):
            return replace(fleet, halted={one: why for one, why in fleet.halted.items() if one != name})
        case RolloutPlanned():
            return replace(fleet, plans={**fleet.plans, event.rollout_id: (event, recorded.recorded_at)})
        case RolloutStarted():
            return _started(fleet, recorded, event)
        case _:
            return _of_order(fleet, recorded, event)


def _published(fleet: Fleet, position: int, event: BlueprintPublished) -> Fleet:
    if event.document is None:
        return fleet  # from before documents were in the log: nothing can be registered from it
    contract = event.contract if event.contract is not None else _contract_in(event.document)
    version = Version(event.name, event.version, event.tier, event.definition_hash, contract, event.document, position)
    of_tool = {**fleet.versions.get(event.name, {}), event.version: version}
    return replace(
        fleet,
        versions={**fleet.versions, event.name: of_tool},
        hashes={**fleet.hashes, (event.name, event.definition_hash): version},
    )


def _contract_in(document: dict[str, Any]) -> int:
    """The contract that a document names as a static parameter; 1 where it is from before contracts were named."""
    values = {item.get("key"): item.get("value") for item in document.get("parameters", ())}
    contract = values.get(CONTRACT_KEY)
    return contract if isinstance(contract, int) else 1


def _started(fleet: Fleet, recorded: Recorded, event: RolloutStarted) -> Fleet:
    order = Order(
        event.rollout_id,
        event.tool,
        event.version,
        event.stages,
        recorded.position,
        recorded.recorded_at,
        event.expires_at,
        event.reason,
        opened_at=recorded.recorded_at,
    )
    return replace(
        fleet,
        orders={**fleet.orders, event.tool: (*fleet.orders.get(event.tool, ()), order)},
        plans={one: plan for one, plan in fleet.plans.items() if one != event.rollout_id},
    )


def _of_order(fleet: Fleet, recorded: Recorded, event: OfOrder) -> Fleet:
    orders = tuple(
        _order_after(order, recorded, event) if order.rollout_id == event.rollout_id else order
        for order in fleet.orders.get(event.tool, ())
    )
    return replace(fleet, orders={**fleet.orders, event.tool: orders})


def _order_after(order: Order, recorded: Recorded, event: OfOrder) -> Order:
    match event:
        case RolloutStageOpened(stage=stage):
            return replace(order, open_stage=stage, opened_at=recorded.recorded_at)
        case RolloutPaused():
            return replace(order, state="paused")
        case RolloutResumed():
            return replace(order, state="running")
        case RolloutCompleted():
            return replace(order, state="completed", open_stage=len(order.stages) - 1)
        case RolloutAborted():
            return replace(order, state="aborted")
        case RolloutExpired():
            return replace(order, state="expired")
        case RolloutRolledBack():
            return replace(order, state="rolled_back")
        case _:
            assert_never(event)
