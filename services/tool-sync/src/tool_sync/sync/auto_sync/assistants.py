"""Assistants of ours, read by their ids: are they still as their newest outcome said?

    GET /assistant ─► ids that the log does not know: each read once a day ─► the org's state, read after that
                                                                              ─► as told, at work by itself, or drift

State and row are read after the document, and the row must be as it was before it: a write of ours, or a save, that
lies between the two would make an older document look like somebody's edit.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any
from uuid import UUID

from tool_sync.domain.drift import ids_to_unlink, is_as_told, is_at_rest
from tool_sync.domain.reach import Known, NamedTool, named_ids
from tool_sync.domain.toolset import Assistant
from tool_sync.sync.bulk_reads import BulkReads
from tool_sync.sync.effects.named import is_id, named_tool
from tool_sync.sync.load import LoadedOrg, load_one
from tool_sync.vapi.failures import unless_gone
from zerotouch_contracts.canonical import model_hash


class LookVerdict(Enum):
    """What a look at one assistant says."""

    AS_TOLD = "as_told"
    """Also where its org works on it by itself, and where it is not ours any more."""
    DIFFERS = "differs"
    GONE = "gone"


async def verdict_of(reads: BulkReads, org_id: UUID, agent_id: str, assistant_id: str) -> LookVerdict:
    """Look at one assistant. Raises `KeyHeld`, `VapiFailure`, and `UnknownEvent` of its org's log."""
    before = await _row(reads, org_id, agent_id)
    if before is None or before.removed or before.failed or before.assistant_id != assistant_id:
        return LookVerdict.AS_TOLD
    document = await unless_gone(reads.ask(lambda: reads.context.vapi.get_assistant(assistant_id)))
    ours = {ref.vapi_tool_id for ref in before.synced}
    named = await _named(reads, [one for one in named_ids(document or {}) if one not in ours])
    loaded = await load_one(reads.context, org_id)
    state = loaded.state
    if await _row(reads, org_id, agent_id) != before or not is_at_rest(state, agent_id):
        return LookVerdict.AS_TOLD
    if document is None:
        return LookVerdict.GONE if before.synced else LookVerdict.AS_TOLD
    return LookVerdict.AS_TOLD if _is_as_told(reads, org_id, document, before, loaded, named) else LookVerdict.DIFFERS


def _is_as_told(
    reads: BulkReads,
    org_id: UUID,
    document: Mapping[str, Any],
    row: Assistant,
    loaded: LoadedOrg,
    named: Mapping[str, NamedTool],
) -> bool:
    state, model = loaded.state, document.get("model")
    known = Known(
        installation_id=reads.context.blueprint.installation_id,
        org_id=org_id,
        tool_ids=state.tool_ids,
        registered=frozenset(state.tools),
        versions=state.versions,
        answered=loaded.fleet.answered_versions,
    )
    return isinstance(model, dict) and is_as_told(
        document, row, model_hash(model), known=known, named=named, unwanted=ids_to_unlink(state)
    )


async def _row(reads: BulkReads, org_id: UUID, agent_id: str) -> Assistant | None:
    found = await reads.context.store.assistants([(org_id, agent_id)])
    return found.get(org_id, {}).get(agent_id)


async def _named(reads: BulkReads, ids: Sequence[str]) -> Mapping[str, NamedTool]:
    """What is behind the ids that an assistant names, each read at most once a day."""
    context = reads.context
    known = dict(await context.store.named_tools(context.vapi.account, ids)) if ids else {}
    asked = [await _read(reads, one) for one in ids if one not in known]
    if kept := [tool for tool in asked if is_id(tool.vapi_tool_id)]:
        await context.store.keep_named_tools(context.vapi.account, kept)
    return {**known, **{tool.vapi_tool_id: tool for tool in asked}}


async def _read(reads: BulkReads, tool_id: str) -> NamedTool:
    document = await unless_gone(reads.ask(lambda: reads.context.vapi.get_tool(tool_id))) if is_id(tool_id) else None
    return named_tool(tool_id, document)
