"""Tools of ours: are they at Vapi as the log says that they were sent?"""

from collections.abc import Collection, Mapping
from typing import Any, Final
from uuid import UUID

from tool_sync.db import Pool
from tool_sync.domain.drift import is_reworded
from tool_sync.domain.events import ToolDriftEnded, ToolDriftSeen
from tool_sync.publishing.overlay import worded
from tool_sync.sync.bulk_reads import BulkReads
from tool_sync.sync.context import Context
from tool_sync.sync.looks import DRIFT, LOOK_COLUMNS, ToolLook, look_of
from tool_sync.vapi.documents import differing
from tool_sync.vapi.failures import VapiFailure
from zerotouch_contracts.canonical import canonical_hash
from zerotouch_contracts.tools import ToolMarker

MARKER: Final = "marker"
"""The part by which a tool says whose it is, where nobody knows what else was sent."""

_OF_ORGS: Final = f"""
SELECT {LOOK_COLUMNS} FROM org_tools t {DRIFT} WHERE t.org_id = ANY ($1::uuid[]) AND t.enabled
"""  # noqa: S608 - made of constants


async def rows_of_orgs(pool: Pool, org_ids: Collection[UUID]) -> list[ToolLook]:
    """The tools that these orgs have, as their rows are now."""
    return [look_of(row) for row in await pool.fetch(_OF_ORGS, sorted(org_ids))]


def told_of(context: Context, tool: ToolLook, document: Mapping[str, Any]) -> ToolDriftSeen | ToolDriftEnded | None:
    """What is to be told of a tool that was read; None: as registered, or changed as it was noted and is to be left.

    What is to be put right is told at each look, until it is.
    """
    found = drift_in(context, tool, document)
    if found is None:
        # A process that has not read what was sent cannot say that it is there again.
        is_read = context.fleet.now.document(tool.name, tool.definition_hash) is not None
        about = (context.vapi.account, tool.name, tool.vapi_tool_id)
        return ToolDriftEnded(*about) if is_read and tool.drift is not None else None
    is_left = tool.name in context.fleet.now.reported and is_reworded(found)
    return None if is_left and _is_same(tool.drift, found) else found


def _is_same(known: ToolDriftSeen | None, found: ToolDriftSeen) -> bool:
    return known is not None and (known.gone, known.differs, known.found) == (found.gone, found.differs, found.found)


def drift_in(context: Context, tool: ToolLook, document: Mapping[str, Any]) -> ToolDriftSeen | None:
    """What is not as it was sent, where this process has read what that was, or not of the org; None: all is."""
    sent = context.fleet.now.document(tool.name, tool.definition_hash)
    differs = (
        {}
        if sent is None
        else differing(document, worded(context.document_for(sent, tool.org_id), tool.overlay, tool.texts))
    )
    if ToolMarker.of(document) != ToolMarker(context.blueprint.installation_id, tool.org_id, tool.name):
        differs = {MARKER: document.get("server"), **differs}
    if not differs:
        return None
    about = (context.vapi.account, tool.name, tool.vapi_tool_id)
    return ToolDriftSeen(*about, gone=False, differs=tuple(sorted(differs)), found=canonical_hash(differs))


async def look_at(reads: BulkReads, tool: ToolLook) -> ToolDriftSeen | ToolDriftEnded | None:
    """Read it by its id; what is to be told of it. Raises `KeyHeld`, and :class:`VapiFailure` where nobody can tell."""
    try:
        document = await reads.ask(lambda: reads.context.vapi.get_tool(tool.vapi_tool_id))
    except VapiFailure as failure:
        if failure.status == 404:
            return ToolDriftSeen(reads.context.vapi.account, tool.name, tool.vapi_tool_id, gone=True)
        raise
    return told_of(reads.context, tool, document)
