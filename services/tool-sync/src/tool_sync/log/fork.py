"""A new id for this log: after a restore from a backup, what follows is another history than subscribers have seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tool_sync.db import Connection


@dataclass(frozen=True, slots=True)
class Forked:
    """The log goes on after ``head`` as ``log_id``; before it was ``forked_from``."""

    log_id: UUID
    forked_from: UUID
    head: int


@dataclass(frozen=True, slots=True)
class LostTool:
    """A tool of ours at Vapi that may have been made after the backup. ``created_at`` is Vapi's."""

    account: str
    vapi_tool_id: str
    org_id: UUID
    name: str
    created_at: datetime | None


class LogInUse(Exception):
    """Processes that hold the old id are connected. Field: sessions (their application names)."""

    def __init__(self, sessions: list[str]) -> None:
        self.sessions = tuple(sessions)
        super().__init__(
            f"{len(sessions)} session(s) of tool-sync are open ({', '.join(sorted(set(sessions)))}): stop it"
        )


# The service keeps the id that it read at its start, so it must not be running.
_SESSIONS: Final = """
SELECT application_name FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'tool-sync%'
ORDER BY application_name
"""
_FORK: Final = """
UPDATE log SET forked_from = log_id, log_id = gen_random_uuid(), forked_at = clock_timestamp()
RETURNING log_id, forked_from, (SELECT coalesce(max(position), 0) FROM events) AS head
"""
_LOST: Final = """
INSERT INTO lost_tools (account, vapi_tool_id, org_id, name, created_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $5::timestamptz[])
ON CONFLICT DO NOTHING
"""
# Nothing else looks at a clinic whose order was lost; its run leaves behind when it is to look for what it has lost.
_DUE: Final = "UPDATE leases SET next_due = clock_timestamp() WHERE org_id = ANY ($1::uuid[])"
# What was looked at before the backup says nothing of what Vapi has now.
_FORGET_LOOKS: Final = (
    "DELETE FROM vapi_looks",
    "DELETE FROM named_tools",
    "DELETE FROM object_looks",
    "DELETE FROM vapi_walks",  # a first walk is made at once: a tool may still say what an order said that was lost
)


async def require_unused(connection: Connection) -> None:
    """Raises `LogInUse` where tool-sync runs."""
    if sessions := [row["application_name"] for row in await connection.fetch(_SESSIONS)]:
        raise LogInUse(sessions)


async def fork(connection: Connection, lost: Sequence[LostTool] = ()) -> Forked:
    """Give the log a new id, and keep what Vapi has that the log may not know; needs the owner's role.

    Raises `LogInUse` where tool-sync runs.
    """
    async with connection.transaction():
        await require_unused(connection)
        row = await connection.fetchrow(_FORK)
        await connection.execute(
            _LOST,
            [tool.account for tool in lost],
            [tool.vapi_tool_id for tool in lost],
            [tool.org_id for tool in lost],
            [tool.name for tool in lost],
            [tool.created_at for tool in lost],
        )
        await connection.execute(_DUE, list({tool.org_id for tool in lost}))
        for statement in _FORGET_LOOKS:
            await connection.execute(statement)
    assert row is not None, "the table log has its one row from the first migration"
    return Forked(row["log_id"], row["forked_from"], row["head"])
