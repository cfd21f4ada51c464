"""``projection rebuild``: the live table made what the log says, while the service runs.

Only rows that differ are written, under the append lock and a few at a time: no table is swapped or emptied, so that
readers, policies and grants never notice. A key that was equal needs no second look: append folds both its rows alike.
"""

import time
from dataclasses import dataclass
from typing import Final

from tool_sync.log.head import read_head
from tool_sync.log.projections.catching_up import catch_up
from tool_sync.log.projections.comparing import compare, position_of
from tool_sync.log.projections.errors import AlreadyRunning
from tool_sync.log.projections.folding import Folding, OnProgress, RebuildProgress, say_nothing
from tool_sync.log.projections.session import Owner, append_locked, session
from tool_sync.log.projections.shape import Shape, shape_of

REBUILD_LOCK: Final = 7312
"""Class of the session locks that allow one rebuild of a projection at a time."""

_BY_INDEX: Final = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_seqscan = off"
"""While writers wait the few rows of a batch are looked up; no table is read whole."""
_BATCHES: Final = "SELECT DISTINCT batch FROM pg_temp.differing ORDER BY batch"


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """``differing`` rows were found at ``position``, ``seconds`` after the start, and then written.

    ``paused_seconds_max`` is the longest that we held the append lock.
    """

    name: str
    position: int
    differing: int
    seconds: float
    paused_seconds_max: float


async def rebuild(owner_url: str, name: str, on_progress: OnProgress = say_nothing) -> Rebuilt:
    """Rebuild one projection. Raises `RebuildError`; may be cancelled at any time, and started again."""
    started = time.monotonic()
    async with session(owner_url, name) as connection:
        shape = await shape_of(connection, name)
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1, hashtext($2))", REBUILD_LOCK, name):
            raise AlreadyRunning(name)
        paused = await catch_up(owner_url, shape, on_progress)
        folding = Folding(connection, shape)
        await folding.start()
        differing = await compare(connection, shape, folding, on_progress)
        position, seconds = folding.position, time.monotonic() - started
        if differing:
            paused = max(paused, await _write(connection, shape, folding, on_progress))
        return Rebuilt(name, position, differing, seconds, paused)


async def _write(connection: Owner, shape: Shape, folding: Folding, on_progress: OnProgress) -> float:
    batches = [row["batch"] for row in await connection.fetch(_BATCHES)]
    longest = 0.0
    for done, batch in enumerate(batches, start=1):
        await folding.fold_to(await read_head(connection), on_progress)  # what is left for the pause is little
        async with append_locked(connection) as pause:
            await folding.fold_to(await read_head(connection), on_progress)
            at = await position_of(connection, shape)
            assert at == folding.position, f"{shape.name} stands at {at}, the log at {folding.position}"
            await _write_batch(connection, shape, batch)
        longest = max(longest, pause.seconds)
        on_progress(RebuildProgress("write", done, len(batches)))
    return longest


async def _write_batch(connection: Owner, shape: Shape, batch: int) -> None:
    """Replace the rows that still differ: those of before are deleted and those of the log inserted, in one commit."""
    await connection.execute(_BY_INDEX)
    live, fresh = shape.live, shape.fresh
    await connection.execute(
        f"DELETE FROM {live} l USING pg_temp.differing d WHERE d.batch = $1 AND {shape.same_key('l', 'd')} AND NOT "  # noqa: S608
        f"EXISTS (SELECT FROM {fresh} f WHERE {shape.same_key('f', 'l')} AND {shape.same_row('f', 'l')})",
        batch,
    )
    await connection.execute(
        f"INSERT INTO {live} ({', '.join(shape.columns)}) SELECT {shape.listed('f')} FROM {fresh} f "  # noqa: S608
        f"JOIN pg_temp.differing d ON {shape.same_key('f', 'd')} WHERE d.batch = $1 AND NOT "
        f"EXISTS (SELECT FROM {live} l WHERE {shape.same_key('l', 'f')})",
        batch,
    )
