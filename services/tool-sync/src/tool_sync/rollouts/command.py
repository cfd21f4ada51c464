"""One command on a rollout or a tool: read the fleet, decide, append at the version that was read, or say why not.

What came between is a conflict, and the command is decided anew. A process that dies before the append has changed
nothing; after it, the same command is refused by the state that it made.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from tool_sync.domain.events import FleetEvent
from tool_sync.domain.fleet import Fleet
from tool_sync.domain.fleet.rollout import Refused
from tool_sync.log import AppendRequest, Conflict, Meta, NewEvent, event_id
from tool_sync.sync.blueprint import read_fleet
from tool_sync.sync.store import Log
from tool_sync.telemetry import SERVICE_VERSION

SOURCE: Final = "/zerotouch/tool-sync/fleet"
TRIES_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Written:
    """Stored just now."""

    event: FleetEvent
    position: int


Decide = Callable[[Fleet], FleetEvent | Refused]


class FleetContended(Exception):
    """The stream grew at every try; nothing was stored."""


async def write(log: Log, stream: str, decide: Decide, *, actor: str) -> Written | Refused:
    """Append what ``decide`` says of the fleet as it is now, once. Raises what ``log.append`` raises,
    :class:`FleetContended` and :class:`~tool_sync.log.UnknownEvent`."""
    for _ in range(TRIES_MAX):
        fleet = await read_fleet(log)
        event = decide(fleet)
        if isinstance(event, Refused):
            return event
        cause = str(uuid4())
        result = await log.append(
            AppendRequest(
                stream=stream,
                org_id=None,
                expected_version=fleet.stream_versions.get(stream, 0),
                events=(NewEvent(event_id(stream, SOURCE, cause, type(event).__name__, 0), event),),
                meta=Meta(cause, cause, None, actor, SERVICE_VERSION),
            )
        )
        if not isinstance(result, Conflict):
            return Written(event, result.first_position)
    raise FleetContended(f"{stream}: {TRIES_MAX} conflicts in a row")


def rollout_stream(rollout_id: str) -> str:
    """The stream of one order."""
    return f"rollout-{rollout_id}"


def tool_stream(name: str) -> str:
    """The stream of what is published of a tool."""
    return f"blueprint-{name}"
