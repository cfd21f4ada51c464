"""Looks at the clinics that want notices: can they book, and did a tool of theirs change?

    every 15 s    which clinics have a change that they were not told ─► one notice each, with the position up to which
    in turns      each clinic every minute: does an assistant that should book lack something? For 10 minutes, at every
                  look: it is told. Told, and nothing is lacking any more: it is told that it works again

What is told and how far it was looked are one transaction: nothing is told twice or passed over. Between two looks that
are far apart nobody knows what was: the 10 minutes begin anew.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from tool_sync import db
from tool_sync.db import Connection, Pool
from tool_sync.notices import endpoints, queue
from tool_sync.queries.changes import ChangeKind, changes_of, orgs_with_news
from tool_sync.queries.coverage import cannot_book, coverage_of

LOOK_SECONDS: Final = 15.0
EACH_AFTER: Final = timedelta(seconds=60)
LOOKS_MAX: Final = 500
"""Clinics of one look."""
CANNOT_FOR: Final = timedelta(minutes=10)
GAP_MAX: Final = timedelta(minutes=5)
NAMED_MAX: Final = 10
CHANGES_MAX: Final = 100
TOLD: Final[frozenset[ChangeKind]] = frozenset(
    {"registered", "updated", "retired", "reinstated", "deleted", "vanished", "changed_at_vapi", "deleted_at_vapi",
     "as_registered_again"}
)  # fmt: skip
"""What changed for callers; what the clinic itself has set, it knows."""

_TURN: Final = """
SELECT org_id, cannot_since, told_cannot, looked_at, clock_timestamp() AS now FROM notice_endpoints
 WHERE org_id = $1 FOR UPDATE
"""
_WHOSE_TURN: Final = """
SELECT org_id FROM notice_endpoints WHERE looked_at IS NULL OR looked_at < clock_timestamp() - $1::interval
 ORDER BY looked_at NULLS FIRST LIMIT $2
"""
_LOOKED: Final = """
UPDATE notice_endpoints SET looked_at = $2, cannot_since = $3, told_cannot = $4 WHERE org_id = $1
"""
_TOLD_UP_TO: Final = "SELECT told_position FROM notice_endpoints WHERE org_id = $1 FOR UPDATE"
_TELL_UP_TO: Final = "UPDATE notice_endpoints SET told_position = $2 WHERE org_id = $1 AND told_position < $2"


log = structlog.get_logger(__name__)


class Watcher:
    """Call :meth:`look` where this process leads."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def look(self) -> None:
        """Look once at all that is due. Raises what the database raises."""
        await endpoints.forget_closed(self._pool)
        await queue.forget_notices(self._pool)
        async with self._pool.acquire() as connection:
            changed = await orgs_with_news(connection)
            whose_turn = [row["org_id"] for row in await connection.fetch(_WHOSE_TURN, EACH_AFTER, LOOKS_MAX)]
        for org_id in changed:
            await self._act(tell_changes, org_id)
        for org_id in whose_turn:
            await self._act(look_at, org_id)

    async def _act(self, act: Callable[[Connection, UUID], Awaitable[None]], org_id: UUID) -> None:
        """For one clinic; a fault of ours there holds up no other one."""
        try:
            async with db.transaction(self._pool) as connection:
                await act(connection, org_id)
        except db.WAITED_OUT_ERRORS:
            raise
        except Exception:
            log.exception("Looking for notices failed for a fault of ours", org_id=str(org_id), alarm=True)


async def tell_changes(connection: Connection, org_id: UUID) -> None:
    """Tell a clinic of its tools' changes that it was not told. Of more than 100 at once only the newest."""
    told: int | None = await connection.fetchval(_TOLD_UP_TO, org_id)
    found = None if told is None else await changes_of(connection, org_id, before=2**63 - 1, limit=CHANGES_MAX)
    if told is None or found is None:
        return
    new = [change for change in reversed(found.changes) if change.position > told]
    for change in new:
        if change.kind in TOLD:
            said = {"tool": change.tool, "change": change.kind, "version": change.version}
            before = {"version_before": change.version_before}
            await queue.add(
                connection, org_id, "tool.changed", f"change {change.position}", change.at, **said, **before
            )
    if new:
        await connection.execute(_TELL_UP_TO, org_id, new[-1].position)


async def look_at(connection: Connection, org_id: UUID) -> None:
    """Look whether a clinic's assistants can book, and tell it where that is new."""
    row = await connection.fetchrow(_TURN, org_id)
    if row is None:
        return  # it was taken back
    now: datetime = row["now"]
    since: datetime | None = row["cannot_since"]
    told: bool = row["told_cannot"]
    found = await coverage_of(connection, org_id)
    lacking = found.assistants - found.equipped
    if not lacking:
        if told:
            can = {"assistants": found.assistants, "cannot_since": since}
            await queue.add(connection, org_id, "clinic.can_book", f"can {now.isoformat()}", now, **can)
        since, told = None, False
    else:
        is_known = since is not None and row["looked_at"] is not None and now - row["looked_at"] <= GAP_MAX
        if since is None or not (told or is_known):
            since = now
        if not told and now - since >= CANNOT_FOR:
            lacks = await cannot_book(connection, org_id, limit=NAMED_MAX)
            cannot = {
                "assistants": found.assistants,
                "cannot_book": lacking,
                "since": since,
                "named": [{"agent_id": one.agent_id, "code": one.code} for one in lacks],
            }
            await queue.add(connection, org_id, "clinic.cannot_book", f"cannot {since.isoformat()}", now, **cannot)
            told = True
    await connection.execute(_LOOKED, org_id, now, since, told)
