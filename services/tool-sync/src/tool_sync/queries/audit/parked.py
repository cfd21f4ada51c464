"""Dead letters as the audit sees them."""

from typing import Final

from tool_sync.db import Connection
from tool_sync.queries.audit.history import Place
from tool_sync.queries.dead_letters import CLOSED_BY

_PARKED: Final = f"""
SELECT topic, partition, "offset", {CLOSED_BY} AS closed_by FROM dead_letters
"""  # noqa: S608 - made of constants


async def parked_records(connection: Connection) -> dict[Place, str | None]:
    """The place of every dead letter, and what closed it; None while it is open."""
    found = await connection.fetch(_PARKED)
    return {Place(row["topic"], row["partition"], row["offset"]): row["closed_by"] for row in found}
