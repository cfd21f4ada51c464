"""Loading orgs: the newest snapshot of each and its events above that, for many orgs in one statement.

The fleet's events, which belong to no org, come along: what is decided about an org is decided on both of one moment.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from tool_sync.db import Connection
from tool_sync.log.codec import UnknownEvent
from tool_sync.log.read import COLUMNS, stored_event
from tool_sync.log.records import StoredEvent


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An org's folded state up to ``position``: a JSON document. ``fold`` numbers the code that made it."""

    org_id: UUID
    fold: int
    position: int
    state: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """What is needed to know an org: its snapshot, and the events of both its streams above it in position order."""

    snapshot: Snapshot | None
    events: tuple[StoredEvent, ...]

    @property
    def position(self) -> int:
        """Of the org's newest event; 0 where it has none."""
        if self.events:
            return self.events[-1].position
        return self.snapshot.position if self.snapshot else 0


class LoadedAll(NamedTuple):
    """Orgs, and the events of the fleet after the position that was asked for; an unreadable one instead of them."""

    orgs: Mapping[UUID, Loaded | UnknownEvent]
    fleet: tuple[StoredEvent, ...] | UnknownEvent


LOAD = f"""
WITH s AS (SELECT org_id, position, state FROM snapshots WHERE org_id = ANY($1::uuid[]) AND fold = $2)
SELECT 0 AS kind, org_id, s.position, NULL AS stream, NULL AS version, NULL AS event_id, NULL AS type, NULL AS schema,
       s.state::text AS data, NULL AS meta, NULL AS recorded_at
FROM s
UNION ALL
SELECT 1, o.org_id, e.position, e.stream, e.version, e.event_id, e.type, e.schema, e.data, e.meta, e.recorded_at
FROM unnest($1::uuid[]) AS o (org_id)
LEFT JOIN s USING (org_id)
CROSS JOIN LATERAL (
  SELECT {COLUMNS} FROM events WHERE events.org_id = o.org_id AND events.position > coalesce(s.position, 0)
) e
UNION ALL
SELECT 2, NULL, position, stream, version, event_id, type, schema, data::text, meta::text, recorded_at
FROM events WHERE org_id IS NULL AND position > $3
ORDER BY kind, position
"""  # noqa: S608 - constants


async def load(connection: Connection, org_ids: Collection[UUID], fold: int, fleet_after: int) -> LoadedAll:
    """The orgs and the fleet as of one moment; an org without events is there too, empty.

    Snapshots of another ``fold`` number are left aside. An org with an event that this release cannot read has that
    error as its value, so that it stops nobody else.
    """
    rows = await connection.fetch(LOAD, list(org_ids), fold, fleet_after)
    snapshots: dict[UUID, Snapshot] = {}
    events: dict[UUID, list[StoredEvent]] = {org_id: [] for org_id in org_ids}
    unknown: dict[UUID | None, UnknownEvent] = {}
    fleet: list[StoredEvent] = []
    for row in rows:
        org_id: UUID = row["org_id"]
        if row["kind"] == 0:
            snapshots[org_id] = Snapshot(org_id, fold, row["position"], row["data"])
        elif org_id not in unknown:
            try:
                (events[org_id] if row["kind"] == 1 else fleet).append(stored_event(row))
            except UnknownEvent as error:
                unknown[org_id] = error
    orgs = {org_id: unknown.get(org_id) or Loaded(snapshots.get(org_id), tuple(own)) for org_id, own in events.items()}
    return LoadedAll(orgs, unknown.get(None) or tuple(fleet))


SAVE = """
INSERT INTO snapshots AS s (org_id, fold, position, state)
SELECT u.org_id, u.fold, u.position, u.state::jsonb
FROM unnest($1::uuid[], $2::int[], $3::bigint[], $4::text[]) AS u (org_id, fold, position, state)
ORDER BY u.org_id
ON CONFLICT (org_id, fold) DO UPDATE SET position = excluded.position, state = excluded.state
WHERE s.position < excluded.position
"""

# A statement of its own that waits for no row: inside SAVE, two releases could each wait for what the other deletes.
FORGET = """
DELETE FROM snapshots
WHERE (org_id, fold) IN (
  SELECT s.org_id, s.fold
  FROM unnest($1::uuid[], $2::int[]) AS saved (org_id, fold)
  JOIN snapshots s ON s.org_id = saved.org_id AND s.fold <> saved.fold
  WHERE EXISTS (
    SELECT FROM snapshots other
    WHERE other.org_id = s.org_id AND other.fold NOT IN (s.fold, saved.fold)
      AND (other.position, other.fold) > (s.position, s.fold))
  FOR UPDATE OF s SKIP LOCKED)
"""


async def save_snapshots(connection: Connection, snapshots: Sequence[Snapshot]) -> None:
    """Keeps each org's snapshot unless a newer one of the same fold is there. One snapshot per org in a call.

    An org keeps those of two folds: the one that is saved, and of all others the newest. So two releases side by side
    leave each other's alone, and what a past release left is gone once two later ones have saved theirs. A process
    that dies between the two statements leaves a third until the next save.
    """
    org_ids, folds = [snapshot.org_id for snapshot in snapshots], [snapshot.fold for snapshot in snapshots]
    positions, states = [snapshot.position for snapshot in snapshots], [snapshot.state for snapshot in snapshots]
    await connection.execute(SAVE, org_ids, folds, positions, states)
    await connection.execute(FORGET, org_ids, folds)
