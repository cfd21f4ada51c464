"""Whose turn it is to feed a tool, and how far: the table ``fleet_turns``; and how a clinic is made due."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final
from uuid import UUID

from tool_sync.db import WAITED_OUT_ERRORS, Connection, Pool

TURN_SECONDS: Final = 15.0
"""So long after its newest turn a process may be gone before another one goes on."""

_SETTLED: Final = "SELECT tool, settled, opens_at FROM fleet_turns"
_TAKE: Final = f"""
INSERT INTO fleet_turns AS t (tool, token, until) VALUES ($1, $2, clock_timestamp() + interval '{TURN_SECONDS} s')
ON CONFLICT (tool) DO UPDATE SET token = excluded.token, until = excluded.until
 WHERE t.token = excluded.token OR t.until < clock_timestamp()
RETURNING true
"""  # noqa: S608 - a constant
_GIVE_UP: Final = "UPDATE fleet_turns SET until = clock_timestamp() WHERE token = $1"
_SETTLE: Final = "UPDATE fleet_turns SET settled = greatest(settled, $3), waits = NULL WHERE tool = $1 AND token = $2"
_SAY: Final = "UPDATE fleet_turns SET waits = $3 WHERE tool = $1 AND token = $2"
_HELD: Final = """
SELECT token FROM leases
 WHERE token IS NOT NULL AND until > clock_timestamp() AND ($1::uuid[] IS NULL OR token = ANY ($1))
"""
_NOTE_WINDOWS: Final = """
UPDATE fleet_turns SET windows_closed = $3, opens_at = $4, opens_in = $5 WHERE tool = $1 AND token = $2
"""
_WINDOWS: Final = """
SELECT windows_closed, opens_at, opens_in FROM fleet_turns WHERE tool = $1 AND opens_at > clock_timestamp()
"""
_WAITS: Final = "SELECT waits FROM fleet_turns WHERE tool = $1"
# A clinic that nobody has worked on yet has no lease.
_DUE_AT: Final = """
INSERT INTO leases AS l (org_id, next_due) SELECT id, at FROM unnest($1::uuid[], $2::timestamptz[]) AS u (id, at)
 ORDER BY id
ON CONFLICT (org_id) DO UPDATE SET next_due = excluded.next_due
 WHERE l.next_due IS NULL OR l.next_due > excluded.next_due
RETURNING l.org_id
"""
_DUE: Final = """
INSERT INTO leases AS l (org_id, next_due) SELECT id, clock_timestamp() FROM unnest($1::uuid[]) AS u (id) ORDER BY id
ON CONFLICT (org_id) DO UPDATE SET next_due = least(coalesce(l.next_due, excluded.next_due), excluded.next_due)
"""


async def settled(pool: Pool) -> Mapping[str, tuple[int, datetime | None]]:
    """By tool, the position of the newest change of the fleet that every clinic has, or gets when its window opens;
    and when the first of these windows does."""
    return {row["tool"]: (row["settled"], row["opens_at"]) for row in await pool.fetch(_SETTLED)}


async def take(pool: Pool, tool: str, token: UUID) -> bool:
    """Whether it is this process's turn; then for a while nobody else's."""
    return bool(await pool.fetchval(_TAKE, tool, token))


async def give_up(pool: Pool, token: UUID) -> None:
    """Whoever comes next takes the turns of this process, and need not wait until it is taken for gone."""
    with suppress(*WAITED_OUT_ERRORS):
        await pool.execute(_GIVE_UP, token)


async def settle(pool: Pool, tool: str, token: UUID, position: int) -> None:
    """Every clinic is as decided since a change at ``position``."""
    await pool.execute(_SETTLE, tool, token, position)


async def note_windows(
    pool: Pool, tool: str, token: UUID, clinics: int, opens_at: datetime | None, time_zone: str
) -> None:
    """So many clinics wait for their change window; the first opens then."""
    await pool.execute(_NOTE_WINDOWS, tool, token, clinics, opens_at, time_zone)


async def windows(connection: "Connection | Pool", tool: str) -> tuple[int, datetime, str] | None:
    """How many clinics waited for their change window at the last walk, and where and when the first opens."""
    row = await connection.fetchrow(_WINDOWS, tool)
    return None if row is None else (row["windows_closed"], row["opens_at"], row["opens_in"])


async def held(pool: Pool, tokens: Collection[UUID] | None = None) -> frozenset[UUID]:
    """The leases that workers hold now, or those of them with these tokens."""
    rows = await pool.fetch(_HELD, None if tokens is None else list(tokens))
    return frozenset(row["token"] for row in rows)


async def say(pool: Pool, tool: str, token: UUID, why: str | None) -> None:
    """What the tool's order waits for, for people; None where it waits for clinics alone."""
    await pool.execute(_SAY, tool, token, why)


async def waits(connection: "Connection | Pool", tool: str) -> str | None:
    """What the tool's order waited for at the last turn."""
    found: str | None = await connection.fetchval(_WAITS, tool)
    return found


async def make_due(pool: Pool, org_ids: Sequence[UUID]) -> None:
    """Let these clinics be claimed now, as bulk work."""
    await pool.execute(_DUE, list(org_ids))


async def make_due_at(pool: Pool, times: Mapping[UUID, datetime]) -> int:
    """Let each of these clinics be claimed at its time at the latest; how many would not have been."""
    return len(await pool.fetch(_DUE_AT, list(times), list(times.values())))


async def is_settled(connection: "Connection | Pool", tool: str, position: int) -> bool:
    """Whether every clinic is as decided since a change at ``position``."""
    return bool(await connection.fetchval("SELECT settled >= $2 FROM fleet_turns WHERE tool = $1", tool, position))
