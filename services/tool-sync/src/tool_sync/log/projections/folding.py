"""The log folded into a temporary table of the projection's name: in its session, the fold finds that one first."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import asyncpg

from tool_sync.log.projections.errors import FoldRaised
from tool_sync.log.projections.session import Owner
from tool_sync.log.projections.shape import Shape

PAGE_POSITIONS: Final = 50_000

_SERVER_CLASSES: Final = frozenset({"08", "25", "40", "42", "53", "55", "57", "58", "XX"})
"""SQLSTATE classes that no event causes: the server's troubles, and a fold that does not fit its table at all."""


@dataclass(frozen=True, slots=True)
class RebuildProgress:
    """``done`` of ``total``: positions while ``doing`` is ``fold``, rows while it is ``write``."""

    doing: str
    done: int
    total: int


OnProgress: TypeAlias = Callable[[RebuildProgress], None]


def say_nothing(_progress: RebuildProgress) -> None:
    """For callers that do not ask."""


class Folding:
    """``position``: how far the temporary table is. Memory here does not grow with the log; all rows stay in SQL."""

    def __init__(self, connection: Owner, shape: Shape) -> None:
        self._connection = connection
        self._shape = shape
        self._fold = f'SELECT "fold_{shape.name}"($1, $2)'
        self.position = 0

    async def start(self) -> None:
        """Make the temporary table: columns, defaults, checks and indexes of the live one, and no rows."""
        await self._connection.execute(
            f'CREATE TEMPORARY TABLE "{self._shape.name}" '
            f"(LIKE {self._shape.live} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)"
        )

    async def fold_to(self, target: int, on_progress: OnProgress) -> None:
        """Fold up to exactly ``target``. Raises `FoldRaised` with the event's position, found by halving."""
        while self.position < target:
            await self._page(min(target, self.position + PAGE_POSITIONS))
            on_progress(RebuildProgress("fold", self.position, target))

    async def _page(self, through: int) -> None:
        try:
            async with self._connection.transaction():  # a savepoint where one is open: a failed half must not end it
                await self._connection.execute(self._fold, self.position, through)
        except asyncpg.PostgresError as error:
            if (error.sqlstate or "")[:2] in _SERVER_CLASSES:
                raise
            if through == self.position + 1:
                raise FoldRaised(self._shape.name, through, str(error)) from error
            await self._page((self.position + through) // 2)
            await self._page(through)
        else:
            self.position = through
