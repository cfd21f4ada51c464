"""``evolve_fleet(fleet, stream, recorded) -> fleet``: what an event of no org changes."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final, assert_never

from tool_sync.domain import events
from tool_sync.domain.fleet.state import Fleet, LastWord, Order, Version
from tool_sync.domain.toolset import Recorded

CONTRACT_KEY: Final = "contract"
Ends = events.RolloutCompleted | events.RolloutAborted | events.RolloutExpired | events.RolloutRolledBack


def evolve_fleet(fleet: Fleet, stream: str, recorded: Recorded) -> Fleet:
    """The fleet after an event of a blueprint or rollout stream. Never refuses: what was written has happened."""
    event = recorded.event
    assert isinstance(event, events.FleetEvent), f"{stream} belongs to no org, and holds {type(event).__name__}"
    versions = {**fleet.stream_versions, stream: fleet.stream_versions.get(stream, 0) + 1}
    changed_at = {**fleet.changed_at, **dict.fromkeys(_concerned(fleet, event), recorded.position)}
    ordered_at = fleet.ordered_at
    if isinstance(event, events.RolloutStarted | events.OrderEvent):
        ordered_at = {**ordered_at, event.tool: recorded.position}
    return replace(
        _changed(fleet, recorded, event),
        position=recorded.position,
        stream_versions=versions,
        changed_at=changed_at,
        ordered_at=ordered_at,
    )


def _concerned(fleet: Fleet, event: events.FleetEvent) -> Iterable[str]:
    """The tools of which some clinic may be to have something else now."""
    match event:
        case events.RolloutPlanned() | events.VersionWithdrawn():
            return ()
        case events.BlueprintPublished() | events.ToolHalted() | events.ToolResumed() | events.DriftPolicySet():
            return (event.name,)
        case events.ContractsAnswered():
            return {name for name, _ in fleet.answered ^ _pairs(event)}
        case _:
            return (event.tool,)


def _pairs(event: events.ContractsAnswered) -> frozenset[tuple[str, int]]:
    return frozenset((one.name, one.contract) for one in event.contracts)


def _changed(fleet: Fleet, recorded: Recorded, event: events.FleetEvent) -> Fleet:
    match event:
        case events.BlueprintPublished():
            return _published(fleet, recorded.position, event)
        case events.ContractsAnswered():
            return replace(fleet, answered=_pairs(event))
        case events.VersionWithdrawn(name=name, version=number):
            of_tool = fleet.versions.get(name, {})
            if number not in of_tool:
                return fleet
            withdrawn = {**of_tool, number: replace(of_tool[number], is_withdrawn=True)}
            return replace(fleet, versions={**fleet.versions, name: withdrawn})
        case events.ToolHalted(name=name, reason=reason):
            return replace(fleet, halted={**fleet.halted, name: reason})
        case events.ToolResumed(name=name):
            return replace(fleet, halted={one: why for one, why in fleet.halted.items() if one != name})
        case events.DriftPolicySet(name=name, policy=policy, reason=reason):
            others = {one: why for one, why in fleet.reported.items() if one != name}
            return replace(fleet, reported={**others, name: reason} if policy == "report" else others)
        case events.RolloutPlanned():
            return replace(fleet, plans={**fleet.plans, event.rollout_id: (event, recorded.recorded_at)})
        case events.RolloutStarted():
            return _started(fleet, recorded, event)
        case _:
            return _of_order(fleet, recorded, event)


def _published(fleet: Fleet, position: int, event: events.BlueprintPublished) -> Fleet:
    if event.document is None:
        return fleet  # from before documents were in the log: nothing can be registered from it
    contract = event.contract if event.contract is not None else _contract_in(event.document)
    version = Version(
        event.name,
        event.version,
        event.tier,
        event.definition_hash,
        contract,
        event.document,
        position,
        note=event.note,
        open=event.open,
    )
    of_tool = {**fleet.versions.get(event.name, {}), event.version: version}
    # An order of what nobody had published gives what is published first: orders were never written like that, and an
    # order that has its version keeps it, whatever its number is published for later.
    orders = tuple(
        replace(order, gives=version) if order.gives is None and order.version == event.version else order
        for order in fleet.orders.get(event.name, ())
    )
    return replace(
        fleet,
        versions={**fleet.versions, event.name: of_tool},
        hashes={**fleet.hashes, (event.name, event.definition_hash): version},
        orders={**fleet.orders, event.name: orders} if orders else fleet.orders,
    )


def _contract_in(document: dict[str, Any]) -> int:
    """The contract that a document names as a static parameter; 1 where it is from before contracts were named."""
    values = {item.get("key"): item.get("value") for item in document.get("parameters", ())}
    contract = values.get(CONTRACT_KEY)
    return contract if isinstance(contract, int) else 1


def _started(fleet: Fleet, recorded: Recorded, event: events.RolloutStarted) -> Fleet:
    order = Order(
        event.rollout_id,
        event.tool,
        event.version,
        event.stages,
        recorded.position,
        recorded.recorded_at,
        event.expires_at,
        event.reason,
        open_stage=-1 if event.gated else 0,
        opened_at=recorded.recorded_at,
        gives=None if event.version is None else fleet.versions.get(event.tool, {}).get(event.version),
        fleet_sequence=event.fleet_sequence or 0,
        judged_position=recorded.position,
        judged_from=recorded.recorded_at,
    )
    return replace(
        fleet,
        orders={**fleet.orders, event.tool: (*fleet.orders.get(event.tool, ()), order)},
        plans={one: plan for one, plan in fleet.plans.items() if one != event.rollout_id},
    )


def _of_order(fleet: Fleet, recorded: Recorded, event: events.OrderEvent) -> Fleet:
    orders = tuple(
        _order_after(order, recorded, event) if order.rollout_id == event.rollout_id else order
        for order in fleet.orders.get(event.tool, ())
    )
    return replace(fleet, orders={**fleet.orders, event.tool: orders})


def _last_word(event: events.OrderEvent, actor: str) -> LastWord:
    match event:
        case events.RolloutStageOpened() | events.RolloutCompleted():
            return LastWord(event.cause, actor, event.reason)
        case events.RolloutExpired():
            return LastWord("expired", actor, None)
        case events.RolloutPaused() | events.RolloutResumed() | events.RolloutAborted() | events.RolloutRolledBack():
            return LastWord("command", actor, event.reason)
        case _:
            assert_never(event)


def _order_after(before: Order, recorded: Recorded, event: events.OrderEvent) -> Order:
    order = replace(before, last_word=_last_word(event, recorded.actor or ""))
    if isinstance(event, Ends) and event.fleet_sequence is not None:
        order = replace(order, fleet_sequence=event.fleet_sequence)
    match event:
        case events.RolloutStageOpened(stage=stage):
            at = recorded.recorded_at
            return replace(order, open_stage=stage, opened_at=at, judged_position=recorded.position, judged_from=at)
        case events.RolloutPaused(evidence=None):
            return replace(order, state="paused")
        case events.RolloutPaused():
            return replace(order, state="paused", stopped_stage=order.open_stage)
        case events.RolloutResumed():
            return replace(order, state="running", judged_position=recorded.position, judged_from=recorded.recorded_at)
        case events.RolloutCompleted():
            return replace(order, state="completed", open_stage=len(order.stages) - 1)
        case events.RolloutAborted():
            return replace(order, state="aborted")
        case events.RolloutExpired():
            return replace(order, state="expired")
        case events.RolloutRolledBack():
            return replace(order, state="rolled_back")
        case _:
            assert_never(event)
