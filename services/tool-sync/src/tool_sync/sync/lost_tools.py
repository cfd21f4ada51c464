"""The table ``lost_tools``: what `log fork` found at Vapi after a restore. Nobody writes it while the service runs."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from tool_sync.db import Pool

_ANY: Final = "SELECT EXISTS (SELECT FROM lost_tools)"
_READ: Final = """
SELECT vapi_tool_id FROM lost_tools WHERE account = $1 AND org_id = $2 AND name = $3
ORDER BY created_at NULLS LAST, vapi_tool_id
"""


@dataclass(slots=True)
class LostTools:
    """Asks once whether there are any: mostly there are none, and a registration must not wait for that."""

    _any: bool | None = None
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def read(self, pool: Pool, account: str, org_id: UUID, name: str) -> Sequence[str]:
        """The ids of an org's tools of this name that a restore may have lost, the oldest first."""
        if self._any is None:
            async with self._asking:  # a thousand new clinics at once ask once
                if self._any is None:
                    self._any = bool(await pool.fetchval(_ANY))
        if not self._any:
            return ()
        return [row["vapi_tool_id"] for row in await pool.fetch(_READ, account, org_id, name)]
