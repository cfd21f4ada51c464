"""Tools of ours: are they at Vapi as the log says that they were sent?"""

from collections.abc import Collection, Mapping
from typing import Any, Final
from uuid import UUID

from tool_sync.db import Pool
from tool_sync.sync.blueprint import document_for
from tool_sync.sync.bulk_reads import BulkReads
from tool_sync.sync.context import Context
from tool_sync.sync.looks import ToolLook
from tool_sync.vapi.documents import holds_tool
from tool_sync.vapi.failures import VapiFailure
from zerotouch_contracts.tools import ToolMarker

_OF_ORGS: Final = """
SELECT t.org_id, t.tool_name, t.vapi_tool_id, t.definition_hash, t.position
  FROM org_tools t WHERE t.org_id = ANY ($1::uuid[]) AND t.enabled
"""


async def rows_of_orgs(pool: Pool, org_ids: Collection[UUID]) -> list[ToolLook]:
    """The tools that these orgs have, as their rows are now."""
    return [
        ToolLook(row["org_id"], row["tool_name"], row["vapi_tool_id"], row["definition_hash"], row["position"])
        for row in await pool.fetch(_OF_ORGS, sorted(org_ids))
    ]


def is_as_registered(context: Context, tool: ToolLook, document: Mapping[str, Any]) -> bool:
    """Whether it carries the org's marker, and holds what was sent, where this process has read what that was."""
    if ToolMarker.of(document) != ToolMarker(context.blueprint.installation_id, tool.org_id, tool.name):
        return False
    sent = context.fleet.now.document(tool.name, tool.definition_hash)
    return sent is None or holds_tool(document, document_for(sent, tool.org_id))


async def drift_of(reads: BulkReads, tool: ToolLook) -> bool | None:
    """Read it by its id. True: it is gone. False: it is not as it was registered. None: it is.

    Raises `KeyHeld`, and :class:`VapiFailure` where nobody can tell.
    """
    try:
        document = await reads.ask(lambda: reads.context.vapi.get_tool(tool.vapi_tool_id))
    except VapiFailure as failure:
        if failure.status == 404:
            return True
        raise
    return None if is_as_registered(reads.context, tool, document) else False
