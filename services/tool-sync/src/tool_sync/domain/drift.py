"""Is an assistant at Vapi still as its newest outcome said? Pure; nothing in a document is trusted to have a shape.

It is asked twice, with more knowledge the second time. Of a page of a list, with what the tables hold: that can only
acquit, as a list lags. Then of the assistant itself, with the org's whole state: only that convicts.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from tool_sync.domain.events import ToolDriftSeen
from tool_sync.domain.linking import ModelProvenance, relinked, unpinned, whose
from tool_sync.domain.reach import Known, NamedTool, belongs_to_another, named_ids, obstacles_of, to_take_out
from tool_sync.domain.subject import agent_subject
from tool_sync.domain.toolset import Assistant, Toolset

WORDS: Final = frozenset({"description", "messages"})
"""Parts of a tool that its callers hear and its model reads. All others decide whether a call reaches us and books."""
MISSING_CODE: Final = "TS-303"
"""``ErrorCode.ASSISTANT_MISSING``; the domain imports the standard library only."""


def is_as_told(
    document: Mapping[str, Any],
    assistant: Assistant,
    model_hash: str,
    *,
    known: Known,
    named: Mapping[str, NamedTool],
    unwanted: Collection[str] = (),
) -> bool:
    """Whether a look at this document would change nothing, and find nothing that the log does not know.

    ``named`` is what is known of tools that the log does not know, by id; an id that is in neither makes it False.
    ``unwanted`` are ids of ours that no assistant should link.
    """
    model = document.get("model")
    if not isinstance(model, dict) or belongs_to_another(document, known.installation_id, known.org_id):
        return False
    version = whose(assistant, model_hash)
    if version is ModelProvenance.OUTDATED or (
        version is ModelProvenance.FOREIGN and assistant.drift_hash != model_hash
    ):
        return False
    strangers = [one for one in named_ids(document) if one not in known.tool_ids and one not in unwanted]
    if any(one not in named for one in strangers):
        return False
    out = {*unwanted, *to_take_out((named[one] for one in strangers), known)}
    if relinked(model, assistant.linked, assistant.synced, out) is not None or unpinned(model, out) is not None:
        return False
    return not obstacles_of(
        document,
        assistant.synced,
        named={one: named[one] for one in strangers},
        known=known,
        split=assistant.split,
        linked_version=assistant.linked_version,
    )


def is_reworded(drift: ToolDriftSeen) -> bool:
    """Whether somebody changed only words of the tool: its callers can still book."""
    return not drift.gone and bool(drift.differs) and WORDS.issuperset(drift.differs)


def is_at_rest(state: Toolset, agent_id: str) -> bool:
    """Whether nothing is to be done about the assistant, so that nobody looks at it by itself.

    What was refused for good is known, and looking again would change nothing; but that it is gone may not be told yet.
    """
    failure = state.failures.get(agent_subject(agent_id))
    busy = state.closed or agent_id in state.open_requests or agent_id in state.looks
    waits = failure is not None and failure.code != MISSING_CODE
    return not (busy or waits or state.is_open(agent_subject(agent_id)))


def ids_to_unlink(state: Toolset) -> frozenset[str]:
    """The ids of ours that no assistant should link any more."""
    retired = (retired.ref.vapi_tool_id for retired in state.retired.values())
    return frozenset((*retired, *state.surplus, *state.gone))
