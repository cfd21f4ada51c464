"""The table ``gate_calls``: the calls that an open gate judges by, each once, without whose call it was."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tool_sync.db import Connection, Pool
from tool_sync.domain.fleet.gate import Calls

CALLS_MAX: Final = 20_000
"""Of each side and gate; further ones are not kept. A version that is worse is found within hundreds."""

# A message that is published or read again has the same id.
_KEEP: Final = """
INSERT INTO gate_calls (judged_position, id, is_new, failed)
SELECT $1, u.id, u.is_new, u.failed FROM unnest($2::uuid[], $3::boolean[], $4::boolean[]) AS u (id, is_new, failed)
 WHERE (SELECT count(*) FROM gate_calls g WHERE g.judged_position = $1 AND g.is_new = u.is_new) < $5
ON CONFLICT DO NOTHING
"""
_COUNT: Final = """
SELECT is_new, count(*) AS total, count(*) FILTER (WHERE failed) AS failed
  FROM gate_calls WHERE judged_position = $1 GROUP BY is_new
"""
_FORGET: Final = "DELETE FROM gate_calls WHERE judged_position <= $1 AND NOT judged_position = ANY ($2::bigint[])"


@dataclass(frozen=True, slots=True)
class GateCall:
    """One call that counts: ``is_new`` of the version that the order gives."""

    id: UUID
    is_new: bool
    failed: bool


async def keep(pool: Pool, judged_position: int, calls: Sequence[GateCall]) -> None:
    """Count them, where they were not counted before."""
    ids, new, failed = [c.id for c in calls], [c.is_new for c in calls], [c.failed for c in calls]
    await pool.execute(_KEEP, judged_position, ids, new, failed, CALLS_MAX)


async def counted(connection: "Connection | Pool", judged_position: int) -> tuple[Calls, Calls]:
    """The calls of the new version, and those of what the other clinics have."""
    rows = await connection.fetch(_COUNT, judged_position)
    found = {row["is_new"]: Calls(row["total"], row["failed"]) for row in rows}
    return found.get(True, Calls()), found.get(False, Calls())


async def forget(pool: Pool, up_to: int, kept: Collection[int]) -> None:
    """Of gates that are over: of events up to a position, all but these."""
    await pool.execute(_FORGET, up_to, list(kept))
