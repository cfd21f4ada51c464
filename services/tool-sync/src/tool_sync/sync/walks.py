"""Where the walk through each of the account's lists stands: rows of ``vapi_walks``, a page at a time for one process.

Whoever dies with a page leaves it to the next after :data:`PAGE_TAKEN`. Whoever sleeps with it finds that it was taken
from him, and what he has read is only read twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from tool_sync.db import Pool
from tool_sync.sync.object_looks import Kind
from tool_sync.vapi.walk import Bound, Walk

PAGE_TAKEN: Final = timedelta(minutes=2)

_BEGIN: Final = "INSERT INTO vapi_walks (account, kind) VALUES ($1, $2) ON CONFLICT (account, kind) DO NOTHING"
_CLAIM: Final = """
UPDATE vapi_walks SET token = $3, next_at = clock_timestamp() + $4::interval
 WHERE account = $1 AND kind = $2 AND next_at <= clock_timestamp()
RETURNING bounds, at, page_limit, finished_at IS NULL AS first
"""
_STORE: Final = """
UPDATE vapi_walks
   SET bounds = $4, at = $5, page_limit = $6, next_at = clock_timestamp() + $7::interval, token = NULL,
       finished_at = CASE WHEN $8 THEN clock_timestamp() ELSE finished_at END
 WHERE account = $1 AND kind = $2 AND token = $3
"""


@dataclass(frozen=True, slots=True)
class ClaimedPage:
    """The next page is ours to read. ``first``: nobody has walked through the whole list yet."""

    walk: Walk
    limit: int
    first: bool


@dataclass(frozen=True, slots=True)
class Walks:
    """Those of one account."""

    pool: Pool
    account: str

    async def claim(self, kind: Kind, token: UUID) -> ClaimedPage | None:
        """The next page of this list, if it is due and nobody else reads it."""
        await self.pool.execute(_BEGIN, self.account, kind)
        row = await self.pool.fetchrow(_CLAIM, self.account, kind, token, PAGE_TAKEN)
        if row is None:
            return None
        return ClaimedPage(Walk(_bounds(row["bounds"]), row["at"]), row["page_limit"], row["first"])

    async def store(self, kind: Kind, token: UUID, walk: Walk, limit: int, pause: timedelta) -> None:
        """The page was read; the next one is due after ``pause``. Nothing, where it was somebody else's by now."""
        bounds = [[None if b.begins_at is None else b.begins_at.isoformat(), b.found] for b in walk.bounds]
        await self.pool.execute(_STORE, self.account, kind, token, bounds, walk.at, limit, pause, walk.finished)


def _bounds(stored: Sequence[Any]) -> tuple[Bound, ...]:
    return tuple(Bound(None if at is None else datetime.fromisoformat(at), found) for at, found in stored)
