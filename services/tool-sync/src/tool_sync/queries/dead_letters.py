"""Dead letters: records that were set aside, and what was done about them."""

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from tool_sync.db import Connection

CLOSED_BY: Final = """
coalesce(nullif(acknowledged_reason, ''), CASE WHEN replayed_at IS NOT NULL THEN 'replayed' END)"""
"""Why somebody closed a row of ``dead_letters``, or that it was replayed; null while it is open."""

_COLUMNS: Final = f"""id, topic, partition, "offset", key, headers, value, reason, org_id, recorded_at,
       {CLOSED_BY} AS closed_by"""
_LIST: Final = f"""
SELECT {_COLUMNS} FROM dead_letters
 WHERE ($1::uuid IS NULL OR org_id = $1) AND ($2::timestamptz IS NULL OR recorded_at >= $2)
   AND ($3 OR (acknowledged_at IS NULL AND replayed_at IS NULL))
 ORDER BY id LIMIT $4
"""  # noqa: S608 - column names of our own
_OPEN: Final = """
SELECT id, topic, partition, "offset", reason, org_id, recorded_at FROM dead_letters
 WHERE acknowledged_at IS NULL AND replayed_at IS NULL ORDER BY id LIMIT $1
"""
_READ: Final = f"SELECT {_COLUMNS} FROM dead_letters WHERE id = $1"  # noqa: S608
_ANSWERED: Final = """
SELECT EXISTS (SELECT FROM events
  WHERE org_id = $1 AND type = 'RequestUnreadable' AND data ->> 'request_id' = $2)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLetter:
    """A record that nobody has done anything about yet, without its bytes."""

    id: int
    topic: str
    partition: int
    offset: int
    reason: str
    org_id: UUID | None
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter(OpenLetter):
    """A record that could not be taken in, byte for byte. ``closed_by``: what was done about it; None while open."""

    key: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    value: bytes | None
    closed_by: str | None


async def open_letters(connection: Connection, limit: int) -> list[OpenLetter]:
    """At most ``limit``, oldest first."""
    return [OpenLetter(**dict(row)) for row in await connection.fetch(_OPEN, limit)]


async def list_letters(
    connection: Connection, *, org_id: UUID | None, since: datetime | None, closed: bool, limit: int
) -> list[DeadLetter]:
    """At most ``limit`` letters, oldest first; with ``closed`` also those that something was done about."""
    return [_letter(row) for row in await connection.fetch(_LIST, org_id, since, closed, limit)]


async def read_letter(connection: Connection, letter_id: int) -> DeadLetter | None:
    """One letter."""
    row = await connection.fetchrow(_READ, letter_id)
    return None if row is None else _letter(row)


async def is_answered(connection: Connection, org_id: UUID | None, request_id: UUID) -> bool:
    """Whether the request has its outcome already, as one that could not be read."""
    return bool(await connection.fetchval(_ANSWERED, org_id, str(request_id)))


def _letter(row: asyncpg.Record) -> DeadLetter:
    return DeadLetter(**dict(row) | {"headers": tuple((name, _bytes(value)) for name, value in row["headers"])})


def _bytes(stored: str | dict[str, str] | None) -> bytes | None:
    """The other way round of what `intake.dead_letters` stores."""
    if stored is None:
        return None
    return base64.b64decode(stored["base64"]) if isinstance(stored, dict) else stored.encode()
