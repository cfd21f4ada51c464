"""The table ``notices``: what clinics are told, in order, and which of it was delivered."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from pydantic_core import to_json
from uuid_utils.compat import uuid7

from tool_sync.db import Connection, Pool

KEPT: Final = timedelta(days=30)
PROBLEM_CHARACTERS_MAX: Final = 200
Type = Literal["clinic.cannot_book", "clinic.can_book", "tool.changed", "notice.test"]

_ADD: Final = """
INSERT INTO notices (message_id, org_id, type, said, body)
SELECT $2, $1, $3, $4, $5 WHERE EXISTS (SELECT FROM notice_endpoints WHERE org_id = $1)
ON CONFLICT (org_id, said) DO NOTHING RETURNING message_id
"""
_NOW: Final = "SELECT clock_timestamp()"
_WAITING_TEST: Final = """
SELECT message_id FROM notices WHERE org_id = $1 AND type = 'notice.test' AND delivered_at IS NULL ORDER BY id LIMIT 1
"""
# Of each clinic the oldest alone: what waits behind it is not sent before it.
_DUE: Final = """
SELECT e.org_id, e.url, e.sealed_secret, CASE WHEN e.old_until > clock_timestamp() THEN e.sealed_old END AS sealed_old,
       e.set_at, e.tries, e.failing_since, n.id, n.message_id, n.body, clock_timestamp() AS now
  FROM notice_endpoints e
 CROSS JOIN LATERAL (SELECT id, message_id, body FROM notices WHERE org_id = e.org_id AND delivered_at IS NULL
                      ORDER BY id LIMIT 1) n
 WHERE e.disabled_at IS NULL AND (e.next_try_at IS NULL OR e.next_try_at <= clock_timestamp())
   AND e.org_id <> ALL ($1::uuid[])
 ORDER BY e.next_try_at NULLS FIRST, n.id LIMIT $2
"""
# The endpoint may be another one by now: its row says nothing of the one that was asked then.
_DELIVERED: Final = """
WITH delivered AS (
    UPDATE notices SET delivered_at = clock_timestamp() WHERE id = $2 AND delivered_at IS NULL RETURNING id
)
UPDATE notice_endpoints SET tries = 0, failing_since = NULL, next_try_at = NULL, last_problem = NULL,
       last_try_at = clock_timestamp(), delivered_at = clock_timestamp()
 WHERE org_id = $1 AND set_at = $3
"""
_FAILED: Final = """
UPDATE notice_endpoints SET tries = tries + 1, failing_since = coalesce(failing_since, $3),
       last_try_at = clock_timestamp(), next_try_at = clock_timestamp() + $4::interval, last_problem = left($5, $7),
       disabled_at = CASE WHEN $6::text IS NOT NULL THEN clock_timestamp() END, disabled_why = $6
 WHERE org_id = $1 AND set_at = $2 AND disabled_at IS NULL RETURNING true
"""
_FORGET: Final = "DELETE FROM notices WHERE made_at < clock_timestamp() - $1::interval"


@dataclass(frozen=True, slots=True)
class Due:
    """The oldest notice of a clinic that was not delivered, and where it goes. ``set_at``: which endpoint that is."""

    org_id: UUID
    url: str
    sealed_secret: str
    sealed_old: str | None
    set_at: datetime
    tries: int
    failing_since: datetime | None
    id: int
    message_id: str
    body: str
    now: datetime


async def add(connection: Connection, org_id: UUID, kind: Type, said: str, at: datetime, **data: Any) -> str | None:
    """Have a clinic told something that happened at ``at``; the message's id, None where it was told, or wants nothing.

    ``said`` names what is told: the same is told once.
    """
    body = to_json({"type": kind, "timestamp": at, "data": {"org_id": org_id, **data}}).decode()
    added: str | None = await connection.fetchval(_ADD, org_id, f"msg_{uuid7().hex}", kind, said, body)
    return added


async def add_test(connection: Connection, org_id: UUID) -> str | None:
    """A notice that says that notices arrive; the one that waits, where there is one. None: it wants no notices."""
    waiting: str | None = await connection.fetchval(_WAITING_TEST, org_id)
    if waiting is not None:
        return waiting
    now: datetime = await connection.fetchval(_NOW)
    return await add(connection, org_id, "notice.test", f"test {uuid7()}", now)


async def due_notices(pool: Pool, but_of: list[UUID], limit: int) -> list[Due]:
    """What is to be sent now, longest due first, but for clinics to whom something is on its way."""
    return [Due(**dict(row)) for row in await pool.fetch(_DUE, but_of, limit)]


async def delivered(pool: Pool, due: Due) -> None:
    """It was taken."""
    await pool.execute(_DELIVERED, due.org_id, due.id, due.set_at)


async def failed(pool: Pool, due: Due, problem: str, pause: timedelta, disabled: str | None) -> bool:
    """It was not: try again after ``pause``, or not at all, where ``disabled`` says why. False: it was set anew."""
    row = (due.org_id, due.set_at, due.now, pause, problem, disabled, PROBLEM_CHARACTERS_MAX)
    return bool(await pool.fetchval(_FAILED, *row))


async def forget_notices(pool: Pool) -> None:
    """Delete what is older than 30 days, delivered or not."""
    await pool.execute(_FORGET, KEPT)
