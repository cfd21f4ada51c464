"""Which organizations there are."""

from typing import Final
from uuid import UUID

from tool_sync.db import Connection, Pool

_KNOWN: Final = "SELECT EXISTS (SELECT FROM organizations WHERE id = $1)"
_OPEN: Final = "SELECT id FROM organizations WHERE NOT closed AND id > $1 ORDER BY id LIMIT $2"


async def is_known(connection: Connection, org_id: UUID) -> bool:
    """Whether there is, or was, such an organization (for this role)."""
    return bool(await connection.fetchval(_KNOWN, org_id))


async def open_organizations(pool: Pool, after: UUID, limit: int) -> list[UUID]:
    """The ids above ``after`` of those that are not closed, in their order."""
    return [row["id"] for row in await pool.fetch(_OPEN, after, limit)]
