"""What waits for an outcome and for what, in words; and how far behind the service is."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from tool_sync.db import Connection
from tool_sync.queries.plain_words import clock_at, named
from tool_sync.vapi.rate_limit import PausedKey, paused_keys

_WAITING: Final = """
SELECT count(*) AS requests, count(DISTINCT e.org_id) AS organizations, min(e.recorded_at) AS oldest
  FROM pending_syncs p
  JOIN events e ON e.org_id = p.org_id AND e.position > p.settled AND e.position <= p.requested
       AND e.type = 'SyncRequested' AND e.data ->> 'agent_id' = p.agent_id
 WHERE p.requested > p.settled AND p.agent_id NOT IN ('', '?')
"""
# Cheap, as it is read every few seconds: from rows of open work, found by their index, and of one event, as times never
# fall with positions.
BACKLOG: Final = """
SELECT (SELECT count(DISTINCT org_id) FROM pending_syncs WHERE requested > settled) AS pending,
       (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(e.recorded_at)), 0)::float8
          FROM events e
         WHERE e.position = (SELECT min(save_requested) FROM pending_syncs
                              WHERE requested > settled AND (save_requested > settled)::int = 1)) AS oldest_seconds,
       (SELECT count(*) FROM dead_letters WHERE acknowledged_at IS NULL AND replayed_at IS NULL) AS dead_letters,
       (SELECT coalesce(max(position), 0) FROM events) AS head,
       (SELECT coalesce(max(position), 0) FROM cursors WHERE name = 'outcomes-relay') AS published,
       (SELECT coalesce(max(position), 0) FROM cursors WHERE name = 'fleet-relay') AS told,
       (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(e.recorded_at)), 0)::float8
          FROM events e
         WHERE e.position = (SELECT position + 1 FROM cursors WHERE name = 'log-heads')) AS unsigned_seconds
"""
# In the order of the index. A row says when its newest save came; the oldest that has no outcome is looked up.
_SAVES: Final = """
SELECT p.org_id, p.agent_id, first.recorded_at AS since, coalesce(l.until > clock_timestamp(), false) AS at_work,
       CASE WHEN l.next_due > clock_timestamp() THEN l.next_due END AS next_due, failed.code,
       v.account AS own_account, l.waits_for_key
  FROM (SELECT org_id, agent_id, requested, settled, save_requested FROM pending_syncs
         WHERE requested > settled AND (save_requested > settled)::int = 1 AND ($2::uuid IS NULL OR org_id = $2)
         ORDER BY (save_requested > settled)::int, requested LIMIT $1) p
  LEFT JOIN leases l USING (org_id)
  LEFT JOIN vapi_accounts v USING (org_id)
 CROSS JOIN LATERAL (
       SELECT recorded_at FROM events
        WHERE org_id = p.org_id AND position > p.settled AND position <= p.save_requested
          AND (position = p.save_requested OR (type = 'SyncRequested' AND data ->> 'agent_id' = p.agent_id))
        ORDER BY position LIMIT 1) first
  LEFT JOIN LATERAL (
       SELECT data ->> 'code' AS code FROM events
        WHERE org_id = p.org_id AND position > p.settled AND type = 'SyncAttemptFailed'
        ORDER BY position DESC LIMIT 1) failed ON true
 ORDER BY first.recorded_at, p.org_id, p.agent_id
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Saves and syncs without an outcome, of how many organizations, and when the oldest arrived."""

    requests: int
    organizations: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """``pending`` organizations have open work, the oldest save of theirs is ``oldest_seconds`` old.

    ``dead_letters`` are open; the log stands at ``head``, its outcomes are published up to ``published``, and what
    became of tools is told up to ``told``. The oldest event above the newest signed head is ``unsigned_seconds`` old.
    """

    pending: int
    oldest_seconds: float
    dead_letters: int
    head: int
    published: int
    told: int
    unsigned_seconds: float


@dataclass(frozen=True, slots=True)
class WaitingSave:
    """A save without an outcome. ``agent_id`` None: it is about the clinic as a whole, or could not be read.

    ``at_work``: a worker has the clinic now; ``next_due``: when the clinic is looked at again, where that is later;
    ``code``: of its newest try that failed, since the save came. ``own_account``: the clinic's own at Vapi, None where
    it has none; ``waits_for_key``: what its last run was held up by.
    """

    org_id: UUID
    agent_id: str | None
    since: datetime
    at_work: bool
    next_due: datetime | None
    code: str | None
    own_account: str | None = None
    waits_for_key: str | None = None


async def waiting_saves(connection: Connection, limit: int, org_id: UUID | None = None) -> list[WaitingSave]:
    """At most ``limit`` of them, the oldest first, of one clinic or of all.

    Reads no more than these and what came since of their clinics; of one clinic open work of the others, too.
    """
    return [
        WaitingSave(**dict(row) | {"agent_id": row["agent_id"].strip("?") or None})
        for row in await connection.fetch(_SAVES, limit, org_id)
    ]


async def waiting(connection: Connection) -> Waiting:
    """What waits for an outcome now; while the key is paused, all of it waits for the key."""
    (row,) = await connection.fetch(_WAITING)
    return Waiting(**dict(row))


async def backlog(connection: Connection) -> Backlog:
    """What is measured all the time."""
    (row,) = await connection.fetch(BACKLOG)
    return Backlog(**dict(row))


@dataclass(frozen=True, slots=True)
class Waits:
    """A save of an agent, or of the whole clinic, and what it waits for, as the end of "waits for …"."""

    org_id: UUID
    agent_id: str | None
    since: datetime
    waits_for: str


async def waits_of(connection: Connection, limit: int, org_id: UUID | None = None) -> list[Waits]:
    """At most ``limit``, the oldest first; of one clinic or of all."""
    paused = await paused_keys(connection)
    return [
        Waits(save.org_id, save.agent_id, save.since, waits_for(save, paused))
        for save in await waiting_saves(connection, limit, org_id)
    ]


def waits_for(save: WaitingSave, paused: tuple[PausedKey, ...]) -> str:
    """What has to happen before it goes on."""
    if key := next((key for key in paused if key.holds(save.own_account, save.waits_for_key)), None):
        return f"the Vapi key{key.whose}, which is paused: {named(key.code)}"
    if save.at_work:
        return f"Vapi's answer: a worker is at it now{_after(save)}"
    if save.next_due is not None:
        return f"the next try at {clock_at(save.next_due, datetime.now(UTC))}{_after(save)}"
    return f"a free worker{_after(save)}"


def _after(save: WaitingSave) -> str:
    return "" if save.code is None else f", after {named(save.code)}"
