"""An org's state now, or as it was at a time: the same fold as the reconciler's."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from pydantic import TypeAdapter

from tool_sync.db import Connection
from tool_sync.domain.evolve import evolve
from tool_sync.domain.fleet import Fleet
from tool_sync.domain.toolset import FOLD, Recorded, Toolset
from tool_sync.log import read_fleet, read_org
from tool_sync.log.head import read_head
from tool_sync.publishing.fleet import empty_fleet, with_events

if TYPE_CHECKING:
    from tool_sync.vapi.rate_limit import PausedKey

PAGE_EVENTS: Final = 250
"""A page folds in about 9 ms; between pages the process serves others, as an old moment may lie many events back."""

_BEFORE_ALL: Final = datetime.min.replace(tzinfo=UTC)
_TOOLSET: Final[TypeAdapter[Toolset]] = TypeAdapter(Toolset)

_PLACE_BEFORE: Final = """
SELECT position, recorded_at, recorded_at AS asked_at FROM events
 WHERE org_id = $1 AND position <= $2 ORDER BY position DESC LIMIT 1
"""
# The newest event of the org at that time; recorded_at rises with the position.
_POSITION_AT: Final = """
SELECT position, recorded_at, coalesce($2, clock_timestamp()) AS asked_at FROM events
 WHERE org_id = $1 AND ($2::timestamptz IS NULL OR recorded_at <= $2)
 ORDER BY position DESC LIMIT 1
"""
_SNAPSHOT: Final = "SELECT state::text FROM snapshots WHERE org_id = $1 AND fold = $2 AND position <= $3"


@dataclass(eq=False)
class BeforeFirstEvent(Exception):
    """Nothing is known of the org as of then. ``first`` is its first event's time, None where it has none."""

    org_id: UUID
    first: datetime | None

    def __str__(self) -> str:
        if self.first is None:
            return f"there is no organization {self.org_id}"
        return f"organization {self.org_id} has no event before {self.first:%Y-%m-%dT%H:%M:%S.%fZ}"


@dataclass(eq=False)
class BeyondHead(Exception):
    """Nobody knows what will be at a position that the log has not reached."""

    position: int
    head: int

    def __str__(self) -> str:
        return f"the log ends at position {self.head}; {self.position} is beyond it"


@dataclass(frozen=True, slots=True)
class StateAsOf:
    """An org as of its newest event at ``position``. ``fleet`` is what was published and ordered by then.

    ``at`` is that event's time, ``asked_at`` the time that was asked about: the database's own where that is now.
    """

    org_id: UUID
    position: int
    at: datetime
    asked_at: datetime
    is_now: bool
    state: Toolset
    fleet: Fleet
    paused: "tuple[PausedKey, ...]" = ()
    """Keys of Vapi that are paused now and that the org's work waits for: its account's."""


@dataclass(frozen=True, slots=True)
class NewestEvent:
    """An org's newest event now, or at a time; ``asked_at`` is that time."""

    position: int
    recorded_at: datetime
    asked_at: datetime


async def place_of(connection: Connection, org_id: UUID, at: datetime | None) -> NewestEvent:
    """Where the org stood. Raises `BeforeFirstEvent`."""
    row = await connection.fetchrow(_POSITION_AT, org_id, at)
    if row is None:
        first = await connection.fetchval("SELECT min(recorded_at) FROM events WHERE org_id = $1", org_id)
        raise BeforeFirstEvent(org_id, first)
    return NewestEvent(**dict(row))


async def fleet_of(connection: Connection, at: datetime | None = None, *, through: int | None = None) -> Fleet:
    """What was published and ordered, now, by a time or up to a position, which may be :class:`BeyondHead`.

    Belongs to no org: needs the service's role.
    """
    if through is not None and through > (head := await read_head(connection)):
        raise BeyondHead(through, head)
    return with_events(empty_fleet(), await read_fleet(connection, at=at, through=through))


def unknown_since(state: Toolset, subject: str) -> datetime | None:
    """When the oldest write to Vapi about this subject that has no answer yet was announced."""
    return min((a.started_at for a in state.attempts.values() if a.subject == subject), default=None)


def age_seconds(moment: StateAsOf, since: datetime | None) -> float | None:
    """How old that was at the moment that was asked about."""
    return None if since is None else max(0.0, (moment.asked_at - since).total_seconds())


async def state_as_of(
    connection: Connection, org_id: UUID, fleet: Fleet, at: datetime | None = None, paused: "tuple[PausedKey, ...]" = ()
) -> StateAsOf:
    """The org now, or at a time. The connection's role decides what is seen. Raises `BeforeFirstEvent`, `UnknownEvent`.

    Nothing above the position that is found first is looked at, so what is appended meanwhile does not show.
    """
    found = await _folded(connection, org_id, fleet, await place_of(connection, org_id, at))
    return replace(found, is_now=at is None, paused=paused)


async def state_at(connection: Connection, org_id: UUID, fleet: Fleet, position: int) -> StateAsOf:
    """The org when the log stood at a position. Raises `BeforeFirstEvent`, `UnknownEvent`."""
    row = await connection.fetchrow(_PLACE_BEFORE, org_id, position)
    place = await place_of(connection, org_id, _BEFORE_ALL) if row is None else NewestEvent(**dict(row))
    return await _folded(connection, org_id, fleet, place)


async def _folded(connection: Connection, org_id: UUID, fleet: Fleet, place: NewestEvent) -> StateAsOf:
    saved = await connection.fetchval(_SNAPSHOT, org_id, FOLD, place.position)
    state = Toolset() if saved is None else _TOOLSET.validate_json(saved)
    while state.position < place.position:
        for stored in await read_org(connection, org_id, state.position, PAGE_EVENTS, place.position):
            state = evolve(state, Recorded(stored.position, stored.recorded_at, stored.event, stored.meta.traceparent))
    return StateAsOf(org_id, place.position, place.recorded_at, place.asked_at, False, state, fleet)
