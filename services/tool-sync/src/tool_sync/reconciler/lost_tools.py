"""The table ``lost_tools``: what `log fork` found at Vapi after a restore. Nobody writes it while the service runs."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from tool_sync.db import Pool

_READ: Final = """
SELECT vapi_tool_id FROM lost_tools WHERE account = $1 AND org_id = $2 AND name = $3
ORDER BY created_at NULLS LAST, vapi_tool_id
"""


async def read(pool: Pool, account: str, org_id: UUID, name: str) -> Sequence[str]:
    """The ids of an org's tools of this name that a restore may have lost, the oldest first."""
    return [row["vapi_tool_id"] for row in await pool.fetch(_READ, account, org_id, name)]
