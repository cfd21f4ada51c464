"""Whose database this is."""

from typing import Final
from uuid import UUID

from tool_sync.db import Pool

_INSTALLATION: Final = "SELECT installation_id FROM installation"


async def installation_of(pool: Pool) -> UUID:
    """The id that the first start of the service gave it."""
    installation_id: UUID = await pool.fetchval(_INSTALLATION)
    return installation_id
