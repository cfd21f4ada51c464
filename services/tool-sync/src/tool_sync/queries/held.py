"""What clinics have of every tool, as far as the log knows: by definition, and by which order.

Either reads every row of `org_tools`, so it is not for every look. The count by order is kept in the process, made so
rarely that counting takes a thirtieth of the time at most, and says of when it is.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tool_sync.db import Connection, Pool
from tool_sync.domain.fleet import Fleet, Order

SHARE: Final = 30
KEPT_SECONDS_MIN: Final = 1.0

_HELD: Final = """
SELECT tool_name, definition_version, definition_hash, rollout_id, enabled, count(*) AS clinics
  FROM org_tools GROUP BY 1, 2, 3, 4, 5
"""
_BY_DEFINITION: Final = """
SELECT tool_name AS name, definition_hash, definition_version AS version, count(*) AS clinics
FROM org_tools WHERE enabled
GROUP BY tool_name, definition_hash, definition_version
ORDER BY tool_name, definition_version, definition_hash
"""
_NOW: Final = "SELECT clock_timestamp()"


@dataclass(frozen=True, slots=True)
class Held:
    """As of ``at``. ``by_version``: clinics by (tool, version). ``by_order``: clinics that have a definition, by
    (rollout, definition hash); those that lost the tool by the rollout stand under None."""

    at: datetime
    by_version: Mapping[tuple[str, int], int]
    by_order: Mapping[tuple[str, str | None], int]

    def clinics_of(self, order: Order) -> int:
        """The clinics that are as the order says, because of it."""
        given = None if order.gives is None else order.gives.definition_hash
        return self.by_order.get((order.rollout_id, given), 0)


class HeldCount:
    """The newest count. ``clock`` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._counting = clock, asyncio.Lock()
        self._held: Held | None = None
        self._due_at = 0.0

    async def now(self, connection: Connection) -> Held:
        """The count, made now or kept. Who asks while somebody counts is given what that finds."""
        async with self._counting:
            begun = self._clock()
            if self._held is None or begun >= self._due_at:
                self._held = await _count(connection)
                took = self._clock() - begun
                self._due_at = begun + took + max(KEPT_SECONDS_MIN, SHARE * took)
            return self._held


async def _count(connection: Connection) -> Held:
    at: datetime = await connection.fetchval(_NOW)
    by_version, by_order = Counter[tuple[str, int]](), Counter[tuple[str, str | None]]()
    for row in await connection.fetch(_HELD):
        if row["enabled"]:
            by_version[row["tool_name"], row["definition_version"]] += row["clinics"]
        by_order[row["rollout_id"], row["definition_hash"] if row["enabled"] else None] += row["clinics"]
    return Held(at, by_version, by_order)


@dataclass(frozen=True, slots=True)
class HeldVersion:
    """So many clinics have a tool of this definition."""

    name: str
    definition_hash: str
    version: int
    clinics: int

    def contract(self, fleet: Fleet) -> int | None:
        """Its contract, as it was published; None where the log has no document of it."""
        published = fleet.hashes.get((self.name, self.definition_hash))
        published = published or fleet.versions.get(self.name, {}).get(self.version)
        return None if published is None else published.contract


async def held_versions(connection: "Connection | Pool") -> Sequence[HeldVersion]:
    """All that clinics have, by definition."""
    return [HeldVersion(**row) for row in await connection.fetch(_BY_DEFINITION)]
