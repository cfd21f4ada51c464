"""A live table that is behind its log: new in this release, or left to a rebuild by append.

It is folded on as append would do it, under the append lock, in pages so small that writers hardly notice.
"""

from typing import Final

from tool_sync.log.projections.folding import Folding, OnProgress
from tool_sync.log.projections.session import Owner, append_locked, session
from tool_sync.log.projections.shape import Shape

PAGE_POSITIONS: Final = 5_000

_BEHIND: Final = """
SELECT position, greatest(position, (SELECT coalesce(max(e.position), 0) FROM events e)) AS head
  FROM projection_positions WHERE name = $1
"""
_MOVE: Final = "UPDATE projections SET position = $2 WHERE name = $1"


async def catch_up(owner_url: str, shape: Shape, on_progress: OnProgress) -> float:
    """Bring the live table to the head of the log; returns the longest pause of writers, in seconds.

    In a session of its own, in which the live table is the one that the fold finds. Raises `FoldRaised`.
    """
    longest = 0.0
    async with session(owner_url, shape.name) as connection:
        folding = Folding(connection, shape)
        while True:
            position, head = await _place(connection, shape)
            if position >= head:
                return longest
            async with append_locked(connection) as pause:
                folding.position, head = await _place(connection, shape)
                await folding.fold_to(min(head, folding.position + PAGE_POSITIONS), on_progress)
                await connection.execute(_MOVE, shape.name, folding.position)
            longest = max(longest, pause.seconds)


async def _place(connection: Owner, shape: Shape) -> tuple[int, int]:
    row = await connection.fetchrow(_BEHIND, shape.name)
    assert row is not None, f"projection {shape.name} has gone"
    return row["position"], row["head"]
