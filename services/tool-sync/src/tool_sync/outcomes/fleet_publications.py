"""Domain event -> message of the fleet's topic: what a clinic is told of its tools, and all of rollouts. Pure.

The number, the cause and the version before were decided with the event, as those of outcomes are.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from tool_sync.domain import events
from tool_sync.domain.telling import RETIRED_BY
from zerotouch_contracts.fleet import (
    STAGES_MAX,
    TEXT_MAX,
    FleetMessage,
    RolloutEnded,
    RolloutStarted,
    ToolChangeAnnounced,
    ToolRetired,
    ToolUpdated,
)

_Changed = (
    events.ToolRegistrationStarted
    | events.ToolUpdateStarted
    | events.ToolRegistered
    | events.ToolUpdated
    | events.ToolReinstated
)
_CHANGES: Final[Mapping[type[_Changed], tuple[type[ToolChangeAnnounced | ToolUpdated], str]]] = {
    events.ToolRegistrationStarted: (ToolChangeAnnounced, "registered"),
    events.ToolUpdateStarted: (ToolChangeAnnounced, "updated"),
    events.ToolRegistered: (ToolUpdated, "registered"),
    events.ToolUpdated: (ToolUpdated, "updated"),
    events.ToolReinstated: (ToolUpdated, "reinstated"),
}
"""By the stored event, which message it is and which change it tells."""

FLEET_STORED_AS: Final[Mapping[type[Any], tuple[type[events.Event], ...]]] = {
    ToolChangeAnnounced: (events.ToolRegistrationStarted, events.ToolUpdateStarted),
    ToolUpdated: (events.ToolRegistered, events.ToolUpdated, events.ToolReinstated),
    ToolRetired: (events.ToolRetired,),
    RolloutStarted: (events.RolloutStarted,),
    RolloutEnded: (
        events.RolloutCompleted,
        events.RolloutAborted,
        events.RolloutExpired,
        events.RolloutRolledBack,
    ),
}
"""The stored events that each message is made of."""


def fleet_message_of(org_id: UUID | None, event: events.Event) -> FleetMessage | None:
    """The message of a stored event, or None where it is not told: another type, or without a number there.

    Raises ``ValidationError`` where the event does not fit the contract, which is a bug of ours.
    """
    if isinstance(event, _Changed):
        message, change = _CHANGES[type(event)]
        return None if event.fleet_sequence is None else message.model_validate(_change(org_id, event, change))
    match event:
        case events.ToolRetired(fleet_sequence=int()):
            cause = RETIRED_BY.get(event.reason, event.reason)
            more = {"cause": cause, "rollout": event.order, "delete_at": event.delete_at}
            return ToolRetired.model_validate(_of_tool(org_id, event) | more)
        case events.RolloutStarted(fleet_sequence=int()):
            return RolloutStarted(
                rollout_id=event.rollout_id,
                sequence=event.fleet_sequence,
                tool=event.tool,
                version=event.version,
                stages=tuple(_line(stage.name) for stage in event.stages[:STAGES_MAX]),
                reason=_line(event.reason),
                expires_at=event.expires_at,
            )
        case events.RolloutCompleted(fleet_sequence=int(number)):
            return _ended(event, number, "completed", event.cause, event.reason)
        case events.RolloutAborted(fleet_sequence=int(number)):
            return _ended(event, number, "aborted", "operator", event.reason)
        case events.RolloutRolledBack(fleet_sequence=int(number)):
            return _ended(event, number, "rolled_back", "operator", event.reason)
        case events.RolloutExpired(fleet_sequence=int(number)):
            return _ended(event, number, "expired", "time", None)
        case _:
            return None


def _of_tool(org_id: UUID | None, event: "_Changed | events.ToolRetired") -> dict[str, Any]:
    return {
        "org_id": org_id,
        "sequence": event.fleet_sequence,
        "tool": event.name,
        "vapi_account": event.account,
        "vapi_tool_id": None if isinstance(event, events.ToolRegistrationStarted) else event.vapi_tool_id,
        "version": event.definition_version,
        "definition_hash": event.definition_hash,
    }


def _change(org_id: UUID | None, event: _Changed, change: str) -> dict[str, Any]:
    made = _of_tool(org_id, event) | {"change": change, "change_id": None, "cause": event.cause or "save"}
    if isinstance(event, events.ToolReinstated):
        return made
    made |= {"change_id": event.attempt_id, "rollout": event.order, "note": _line(event.note)}
    if event.cause is None and event.order is not None:
        made["cause"] = "rollout"  # the answer to what an older release has announced, which says no cause
    if isinstance(event, events.ToolUpdateStarted | events.ToolUpdated):
        made |= {"version_before": event.version_before, "definition_hash_before": event.hash_before}
    return made


def _ended(
    event: events.RolloutCompleted | events.RolloutAborted | events.RolloutExpired | events.RolloutRolledBack,
    number: int,
    how: str,
    cause: str,
    reason: str | None,
) -> RolloutEnded:
    return RolloutEnded(
        rollout_id=event.rollout_id, sequence=number, tool=event.tool, how=how, cause=cause, reason=_line(reason or "")
    )


def _line(text: str) -> str:
    """A person's words, as long as the contract lets them be."""
    return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"
