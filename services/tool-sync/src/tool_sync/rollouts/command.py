"""One command on a rollout or a tool: read the fleet, decide, append at the version that was read, or say why not.

What came between is a conflict, and the command is decided anew. A process that dies before the append has changed
nothing; after it, the same command is refused by the state that it made.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from tool_sync.domain.events import FleetEvent
from tool_sync.domain.fleet import Fleet
from tool_sync.domain.fleet.rollout import Refused
from tool_sync.domain.toolset import FOLD
from tool_sync.log import Appended, AppendRequest, Conflict, Log, StoredEvent, UnknownEvent, event_id, fleet_decision
from tool_sync.publishing.fleet import empty_fleet, with_events
from tool_sync.release import SERVICE_VERSION
from tool_sync.sync.blueprint import read_fleet

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


async def fleet_events(log: Log, after: int) -> Sequence[StoredEvent]:
    """Those of the fleet above a position. Raises :class:`~tool_sync.log.UnknownEvent`."""
    events = (await log.load((), fold=FOLD, fleet_after=after)).fleet
    if isinstance(events, UnknownEvent):
        raise events
    return events


async def write(log: Log, stream: str, decide: Decide, *, actor: str) -> Written | Refused:
    """Append what ``decide`` says of the fleet as it is now, once. Raises what ``log.append`` raises,
    :class:`FleetContended` and :class:`~tool_sync.log.UnknownEvent`."""
    for _ in range(TRIES_MAX):
        fleet = await read_fleet(log)
        event = decide(fleet)
        if isinstance(event, Refused):
            return event
        result = await log.append(_decision(stream, fleet, event, str(uuid4()), actor))
        if not isinstance(result, Conflict):
            return Written(event, result.first_position)
    raise FleetContended(f"{stream}: {TRIES_MAX} conflicts in a row")


async def write_once(
    log: Log, stream: str, kind: type[FleetEvent], decide: Decide, *, cause: str, actor: str
) -> Written | Refused:
    """As :func:`write`, and at most once for a cause: what was stored for it before is what it returns.

    ``decide`` makes a ``kind``. It is asked only where nothing is stored, as of the same moment.
    """
    own = event_id(stream, SOURCE, cause, kind.__name__, 0)
    for _ in range(TRIES_MAX):
        events = await fleet_events(log, 0)
        stored = next((one for one in events if one.event_id == own), None)
        if stored is not None:
            assert isinstance(stored.event, kind), f"{stream}: {own} is a {type(stored.event).__name__}"
            return Written(stored.event, stored.position)
        fleet = with_events(empty_fleet(), events)
        event = decide(fleet)
        if isinstance(event, Refused):
            return event
        result = await log.append(_decision(stream, fleet, event, cause, actor))
        if isinstance(result, Appended):
            return Written(event, result.first_position)
    raise FleetContended(f"{stream}: {TRIES_MAX} conflicts in a row")


def _decision(stream: str, fleet: Fleet, event: FleetEvent, cause: str, actor: str) -> AppendRequest:
    return fleet_decision(
        stream, fleet.stream_versions.get(stream, 0), (event,), source=SOURCE, cause=cause, actor=actor,
        service_version=SERVICE_VERSION,
    )  # fmt: skip
