"""Which events the clinic is told of on the fleet's topic: their numbers there, and why a tool changes.

The numbers of an org are drawn as those of its outcomes are (:mod:`.settling`): from the state that the append expects.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from tool_sync.domain.events import (
    RetireReason,
    ToolRegistered,
    ToolRegistrationStarted,
    ToolReinstated,
    ToolRetired,
    ToolsetEvent,
    ToolUpdated,
    ToolUpdateStarted,
)
from tool_sync.domain.toolset import Toolset

TOLD = ToolRegistrationStarted | ToolRegistered | ToolUpdateStarted | ToolUpdated | ToolRetired | ToolReinstated

REPAIR: Final = "repair"
ROLLOUT: Final = "rollout"
SETTING: Final = "setting"
SAVE: Final = "save"
_CHANGED_BY: Final = {"tier": "tier", "setting": SETTING, "pin": "pin"}
_GIVEN_BY: Final = {**_CHANGED_BY, "rollout": ROLLOUT, "retry": "retry", "drift": REPAIR}
"""What makes an org have a tool by another definition, and have it at all, by what is looked for in all of it. Where
nothing is, another definition is an order's, and a save needs the tool."""

RETIRED_BY: Final[Mapping[RetireReason, str]] = {"order": ROLLOUT, "halted": "halt"}
"""The cause of a retirement, where it is another word than its reason."""


def told(state: Toolset, events: Iterable[ToolsetEvent]) -> Iterator[ToolsetEvent]:
    """The events of one decision, those that are told with their numbers."""
    number = state.fleet_sequence
    for event in events:
        if isinstance(event, TOLD):
            number += 1
            yield _with_number(state, event, number)
        else:
            yield event


def number_after(state: Toolset, event: object) -> int:
    """The org's newest number after an event."""
    number = event.fleet_sequence if isinstance(event, TOLD) else None
    return state.fleet_sequence if number is None else number


def _with_number(state: Toolset, event: TOLD, number: int) -> TOLD:
    match event:
        case ToolRegistrationStarted() | ToolReinstated():
            cause = _GIVEN_BY.get(state.org_wide_cause or "", SAVE)
            return replace(event, fleet_sequence=number, cause=cause)
        case ToolUpdateStarted(name=name):
            before = state.tools[name]
            is_same = before.definition_hash == event.definition_hash
            # The same definition with other words is no repair: the clinic has set them.
            made_by = SETTING if state.overlays.get(name, ()) != event.overlay else REPAIR
            return replace(
                event,
                fleet_sequence=number,
                cause=made_by if is_same else _CHANGED_BY.get(state.org_wide_cause or "", ROLLOUT),
                version_before=before.definition_version,
                hash_before=before.definition_hash,
            )
        case ToolRegistered() | ToolUpdated() | ToolRetired():
            return replace(event, fleet_sequence=number)
