"""The tools of ours that a restored log may not know: one list of what Vapi made since the backup, for all orgs."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from tool_sync.log.fork import LostTool
from tool_sync.vapi.client import VapiClient
from zerotouch_contracts.tools import ToolMarker
from zerotouch_platform.vapi.clock import UNKNOWN_SKEW
from zerotouch_platform.vapi.paging import created_at

MARGIN: Final = UNKNOWN_SKEW
"""How far the database's clock may be ahead of Vapi's, which has not told its time yet. Read once, so a wide one costs
a page or two; what the log knows already is never adopted a second time."""
EVER: Final = datetime(2000, 1, 1, tzinfo=UTC)


async def find_lost_tools(vapi: VapiClient, installation_id: UUID, backup_at: datetime | None) -> list[LostTool]:
    """Every tool of this installation made since shortly before ``backup_at`` (None: ever).

    Raises :class:`~tool_sync.vapi.failures.VapiFailure`: half a list is none.
    """
    since = EVER if backup_at is None else backup_at - MARGIN
    found = []
    async for tool in vapi.tools_created_since(since):
        marker = ToolMarker.of(tool)
        if marker is not None and marker.installation_id == installation_id:
            found.append(LostTool(vapi.account, str(tool["id"]), marker.org_id, marker.name, created_at(tool)))
    return found
