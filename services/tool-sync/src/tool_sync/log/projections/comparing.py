"""The freshly folded table beside the live one: exact, as both are of one position in one snapshot."""

from typing import Final

from tool_sync.log.projections.folding import Folding, OnProgress
from tool_sync.log.projections.session import Owner
from tool_sync.log.projections.shape import Shape

NEAR_POSITIONS: Final = 2_000
"""So few are folded inside the snapshot, or under the append lock."""

BATCH_ROWS: Final = 500
"""Rows that a rebuild writes while writers wait."""

POSITION: Final = "SELECT position FROM projection_positions WHERE name = $1"


async def position_of(connection: Owner, shape: Shape) -> int:
    """How far the live table is."""
    position: int = await connection.fetchval(POSITION, shape.name)
    return position


async def compare(connection: Owner, shape: Shape, folding: Folding, on_progress: OnProgress) -> int:
    """Fold to where the live table is and note the keys that differ in the temporary table ``differing``.

    Its columns: the key, and the ``batch`` in which `rebuild` writes it. Returns their number. Takes no lock that
    anybody else waits for.
    """
    while (target := await position_of(connection, shape)) - folding.position > NEAR_POSITIONS:
        await folding.fold_to(target, on_progress)
    async with connection.transaction(isolation="repeatable_read"):
        # The snapshot is that of this statement: live rows and log are seen as of exactly this position.
        await folding.fold_to(await position_of(connection, shape), on_progress)
        await connection.execute(_NOTE.format(
            keys=", ".join(f"coalesce(l.{column}, f.{column}) AS {column}" for column in shape.key),
            listed=", ".join(shape.key), key=shape.key[0], rows=BATCH_ROWS, live=shape.live, fresh=shape.fresh,
            same_key=shape.same_key("l", "f"), same_row=shape.same_row("l", "f"),
            same_place=shape.same_place("l", "f"),
        ))  # fmt: skip
    number: int = await connection.fetchval("SELECT count(*) FROM pg_temp.differing")
    if number:
        await connection.execute(
            f"CREATE INDEX ON pg_temp.differing (batch); ANALYZE pg_temp.differing; ANALYZE {shape.fresh}"
        )
    return number


# A row that is to come can be in the way of one that is to go, in another unique index: where there are both, all of
# those are batch 0. The others are changed in place, or only come, or only go.
_NOTE: Final = """
CREATE TEMPORARY TABLE differing AS
SELECT {listed}, CASE WHEN (goes OR comes) AND bool_or(goes) OVER () AND bool_or(comes) OVER () THEN 0
                      ELSE 1 + row_number() OVER (ORDER BY {listed}) / {rows} END AS batch
  FROM (SELECT {keys}, l.{key} IS NOT NULL AND (f.{key} IS NULL OR NOT ({same_place})) AS goes,
               f.{key} IS NOT NULL AND (l.{key} IS NULL OR NOT ({same_place})) AS comes
          FROM {live} l FULL JOIN {fresh} f ON {same_key}
         WHERE l.{key} IS NULL OR f.{key} IS NULL OR NOT ({same_row})) AS d
"""
