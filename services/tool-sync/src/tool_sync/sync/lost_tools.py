"""The table ``lost_tools``: what `log fork` found at Vapi after a restore. Nobody writes it while the service runs."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from tool_sync.db import Pool

_ANY: Final = "SELECT EXISTS (SELECT FROM lost_tools)"
_READ: Final = """
SELECT name, vapi_tool_id, coalesce((SELECT forked_at FROM log), to_timestamp(0)) AS listed_at
  FROM lost_tools WHERE account = $1 AND org_id = $2
 ORDER BY created_at NULLS LAST, vapi_tool_id
"""


@dataclass(frozen=True, slots=True)
class Listed:
    """What a restore may have lost of an org's tools: their ids, by name, and when they were listed."""

    at: datetime
    ids: Mapping[str, Sequence[str]]


@dataclass(slots=True)
class LostTools:
    """Asks once whether there are any: mostly there are none, and a registration must not wait for that."""

    _any: bool | None = None
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def read(self, pool: Pool, account: str, org_id: UUID, name: str) -> Sequence[str]:
        """The ids of an org's tools of this name that a restore may have lost, the oldest first."""
        listed = await self.listed(pool, account, org_id)
        return () if listed is None else listed.ids.get(name, ())

    async def listed(self, pool: Pool, account: str, org_id: UUID) -> Listed | None:
        """All of an org's; None where there are none."""
        if not await self._are_any(pool):
            return None
        ids: dict[str, list[str]] = defaultdict(list)
        rows = await pool.fetch(_READ, account, org_id)
        for row in rows:
            ids[row["name"]].append(row["vapi_tool_id"])
        return Listed(rows[0]["listed_at"], ids) if rows else None

    async def _are_any(self, pool: Pool) -> bool:
        if self._any is None:
            async with self._asking:  # a thousand new clinics at once ask once
                if self._any is None:
                    self._any = bool(await pool.fetchval(_ANY))
        return self._any
