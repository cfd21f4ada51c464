"""What Vapi said where it refused something: kept per clinic, found by clinic, agent and trace, gone after 30 days.

They are a stranger's words, which may repeat what a clinic wrote. So row-level security guards them like everything
else of a clinic, and they stand in no log, event or span.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from tool_sync import db
from tool_sync.db import Connection, Pool
from tool_sync.vapi.failures import VapiFailure
from zerotouch_platform.postgres.pool import ACQUIRE_SECONDS
from zerotouch_platform.vapi.answers import printable

KEPT: Final = timedelta(days=30)
FORGET_SECONDS: Final = 3600.0
AGAIN: Final = timedelta(days=1)
"""The same words about the same thing in the same trace are counted for so long, and then written anew."""

log = structlog.get_logger(__name__)

_KEEP: Final = """
WITH again AS (
    UPDATE vapi_words SET at = clock_timestamp(), times = times + 1
     WHERE org_id = $1 AND agent_id IS NOT DISTINCT FROM $2 AND trace_id IS NOT DISTINCT FROM $3 AND route = $4
       AND status IS NOT DISTINCT FROM $5 AND code = $6 AND words = $7 AND first_at > clock_timestamp() - $8::interval
    RETURNING id
)
INSERT INTO vapi_words (org_id, agent_id, trace_id, route, status, code, words)
SELECT $1, $2, $3, $4, $5, $6, $7 WHERE NOT EXISTS (SELECT FROM again)
"""
_COLUMNS: Final = "SELECT org_id, agent_id, trace_id, first_at, at, times, route, status, code, words FROM vapi_words"
_READ: Final = f"""{_COLUMNS}
 WHERE at > clock_timestamp() - $5::interval
   AND ($1::uuid IS NULL OR org_id = $1) AND ($2::text IS NULL OR agent_id = $2)
   AND ($3::text IS NULL OR trace_id = $3)
 ORDER BY at DESC, id DESC LIMIT $4
"""
_OF_CODE: Final = f"{_COLUMNS} WHERE code = $1 AND at > clock_timestamp() - $3::interval ORDER BY at DESC LIMIT $2"
_FORGET: Final = "DELETE FROM vapi_words WHERE at < clock_timestamp() - $1::interval"


@dataclass(frozen=True, slots=True)
class Words:
    """What Vapi said, ``times`` times from ``first_at`` to ``at``. ``agent_id`` is null where it was about a tool.

    ``route`` is like ``PATCH /assistant/{id}``; ``code`` is what we made of it.
    """

    org_id: UUID
    agent_id: str | None
    trace_id: str | None
    first_at: datetime
    at: datetime
    times: int
    route: str
    status: int | None
    code: str
    words: str


async def keep_words(
    pool: Pool, failure: VapiFailure, *, org_id: UUID, agent_id: str | None, trace_id: str | None
) -> None:
    """Keep what Vapi said, if it said anything. Never raises for a database that is away: they are only words."""
    words = printable(failure.words).strip()
    if not words:
        return
    row = (org_id, agent_id, trace_id, failure.route, failure.status, failure.code.value, words, AGAIN)
    try:
        await pool.execute(_KEEP, *row, timeout=ACQUIRE_SECONDS)
    except db.WAITED_OUT_ERRORS as error:
        log.warning("Vapi's words were not kept", org_id=str(org_id), reason=type(error).__name__)


async def read_words(
    connection: Connection, *, org_id: UUID | None, agent_id: str | None, trace_id: str | None, limit: int
) -> list[Words]:
    """The newest first; null means any. The connection's role decides what is seen."""
    found = await connection.fetch(_READ, org_id, agent_id, trace_id, limit, KEPT)
    return [Words(**dict(row)) for row in found]


async def words_of_code(connection: Connection, code: str, limit: int) -> list[Words]:
    """At most ``limit``, the newest first, of all clinics that the connection's role may see."""
    return [Words(**dict(row)) for row in await connection.fetch(_OF_CODE, code, limit, KEPT)]


async def forget_words(pool: Pool) -> int:
    """Delete what is older than 30 days; returns how many."""
    done: str = await pool.execute(_FORGET, KEPT)
    return int(done.rsplit(" ", 1)[-1])
