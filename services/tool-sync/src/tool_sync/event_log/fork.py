"""A new id for this log: after a restore from a backup, what follows is another history than subscribers have seen."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tool_sync.db import Connection


@dataclass(frozen=True, slots=True)
class Forked:
    """The log goes on after ``head`` as ``log_id``; before it was ``forked_from``."""

    log_id: UUID
    forked_from: UUID
    head: int


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


async def fork(connection: Connection) -> Forked:
    """Give the log a new id; needs the owner's role. Raises `LogInUse` where tool-sync runs."""
    async with connection.transaction():
        if sessions := [row["application_name"] for row in await connection.fetch(_SESSIONS)]:
            raise LogInUse(sessions)
        row = await connection.fetchrow(_FORK)
    assert row is not None, "the table log has its one row from the first migration"
    return Forked(row["log_id"], row["forked_from"], row["head"])
