"""``projection verify``: is the live table the fold of the log? It takes no lock and writes nothing."""

from dataclasses import dataclass
from typing import Final

from tool_sync.log.head import read_head
from tool_sync.log.projections.comparing import compare, position_of
from tool_sync.log.projections.folding import Folding, OnProgress, say_nothing
from tool_sync.log.projections.session import Owner, session
from tool_sync.log.projections.shape import Shape, shape_of
from tool_sync.log.projections.shape import names as names_in

SHOWN_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Difference:
    """A row as the live table has it and as the log says; JSON texts, None where there is none."""

    live: str | None
    folded: str | None


@dataclass(frozen=True, slots=True)
class Verified:
    """``differing`` rows at ``position``, of which the first are ``shown``. ``behind``: positions to the log's head.

    ``rows`` is how many the folded table has, and so how many were compared at least.
    """

    name: str
    position: int
    behind: int
    differing: int
    shown: tuple[Difference, ...]
    rows: int = 0

    @property
    def holds(self) -> bool:
        """The table is what the log says, up to its position."""
        return not self.differing

    @property
    def is_current(self) -> bool:
        """It holds, and reaches to the log's head: what is behind was not folded, and so not looked at."""
        return self.holds and not self.behind


async def names(owner_url: str) -> list[str]:
    """Every projection's name. Raises `RebuildError`."""
    async with session(owner_url, "all") as connection:
        return await names_in(connection)


async def verify(owner_url: str, name: str, on_progress: OnProgress = say_nothing) -> Verified:
    """Fold the log anew and compare. Raises `RebuildError`; may be cancelled at any time."""
    async with session(owner_url, name) as connection:
        shape = await shape_of(connection, name)
        folding = Folding(connection, shape)
        await folding.start()
        differing = await compare(connection, shape, folding, on_progress)
        shown = await _show(connection, shape) if differing else ()
        behind = await read_head(connection) - await position_of(connection, shape)
        rows: int = await connection.fetchval(f"SELECT count(*) FROM {shape.fresh}")  # noqa: S608 - of the catalog
        return Verified(name, folding.position, max(0, behind), differing, shown, rows)


async def _show(connection: Owner, shape: Shape) -> tuple[Difference, ...]:
    rows = await connection.fetch(
        f"SELECT row_to_json(l)::text AS live, row_to_json(f)::text AS folded"  # noqa: S608 - names of the catalog
        f"  FROM pg_temp.differing d"
        f"  LEFT JOIN {shape.live} l ON {shape.same_key('l', 'd')}"
        f"  LEFT JOIN {shape.fresh} f ON {shape.same_key('f', 'd')}"
        f" ORDER BY {', '.join(f'd.{column}' for column in shape.key)} LIMIT {SHOWN_MAX}"
    )
    return tuple(Difference(row["live"], row["folded"]) for row in rows)
