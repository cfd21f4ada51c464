"""The table ``console_links``: what a one-time link of the console signs in with, until it is used or has ended."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from tool_sync.db import Connection, Pool

LASTS: Final = timedelta(minutes=5)
OPEN_MAX: Final = 1_000
"""Of all callers. Who has more open than that makes them by a fault."""

_FORGET: Final = "DELETE FROM console_links WHERE expires_at < clock_timestamp()"
_KEEP: Final = """
INSERT INTO console_links (code_hash, sealed_token, expires_at)
SELECT $1, $2, clock_timestamp() + $3::interval WHERE (SELECT count(*) FROM console_links) < $4
RETURNING expires_at
"""
_IS_OPEN: Final = "SELECT true FROM console_links WHERE code_hash = $1 AND expires_at > clock_timestamp()"
_TAKE: Final = """
DELETE FROM console_links WHERE code_hash = $1 RETURNING sealed_token, expires_at > clock_timestamp() AS is_open
"""


@dataclass(frozen=True, slots=True)
class ConsoleLink:
    """Where a browser signs in, once, and until when."""

    url: str
    expires_at: datetime


async def keep_link(connection: Connection, code: bytes, sealed_token: str) -> datetime | None:
    """Keep what the link with this code signs in with; when it ends, or None where too many are open."""
    await connection.execute(_FORGET)
    until: datetime | None = await connection.fetchval(_KEEP, _hash(code), sealed_token, LASTS, OPEN_MAX)
    return until


async def is_open(connection: Connection, code: bytes) -> bool:
    """Whether the link can be used still."""
    return bool(await connection.fetchval(_IS_OPEN, _hash(code)))


async def take_link(connection: Connection, code: bytes) -> str | None:
    """The sealed token, to whoever comes first; None where the link was used, has ended or never was."""
    row = await connection.fetchrow(_TAKE, _hash(code))
    return row["sealed_token"] if row is not None and row["is_open"] else None


async def forget_links(pool: Pool) -> None:
    """Delete those that have ended."""
    await pool.execute(_FORGET)


def _hash(code: bytes) -> bytes:
    return sha256(code).digest()
