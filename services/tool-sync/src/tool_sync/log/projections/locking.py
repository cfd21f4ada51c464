"""The append lock, held by us for a moment: nobody appends meanwhile, everybody reads."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from tool_sync.log.projections.session import APPEND_LOCK, Owner

HELD_SECONDS_MAX: Final = 5
"""PostgreSQL ends a statement under the lock after this; and our session, if we idle under it for 1 s."""


@dataclass(slots=True)
class WritersPause:
    """How long the lock was held, known afterwards."""

    seconds: float = 0.0


@asynccontextmanager
async def append_locked(connection: Owner) -> AsyncIterator[WritersPause]:
    """A transaction under the lock; what it writes is there when appends go on."""
    pause = WritersPause()
    async with connection.transaction(isolation="read_committed"):
        await connection.execute(
            f"SET LOCAL idle_in_transaction_session_timeout = '1s'; SET LOCAL statement_timeout = '{HELD_SECONDS_MAX}s'"
        )
        # A statement of its own: the next one's snapshot is taken after the wait, and sees every append.
        await connection.execute(f"SELECT pg_advisory_xact_lock({APPEND_LOCK})")
        since = time.monotonic()
        yield pause
    pause.seconds = time.monotonic() - since
