"""What an agent leaves on an assistant that it had: its organization's tools, linked or copied, our block, our mark.

Everything else is somebody's: foreign tools, the clinic's words, other keys of `metadata`. What cannot be shown to be
ours stays.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from assistant_api.document import AgentMarker, Holder
from assistant_api.prompt.lines import without_block
from assistant_api.prompt.messages import LEGACY_PROMPT, without_tools
from zerotouch_contracts.tools import ToolMarker

ID_CHARACTERS_MAX: Final = 64


def linked_ids(assistant: Mapping[str, Any]) -> tuple[str, ...]:
    """The ids of saved tools that an assistant names, in `model.toolIds` and `model.toolRefs`, each once.

    What no id of Vapi's looks like is left out: it is nobody's tool, and does not belong into a path.
    """
    model = _model(assistant)
    named = [*_list(model.get("toolIds")), *(_tool_id(item) for item in _list(model.get("toolRefs")))]
    return tuple(dict.fromkeys(item for item in named if isinstance(item, str) and _is_id(item)))


def is_tool_of(mark: AgentMarker, tool: object) -> bool:
    """Whether a tool as Vapi returns it is our installation's, for the mark's organization."""
    marker = ToolMarker.of(tool)
    return marker is not None and (marker.installation_id, marker.org_id) == (mark.installation_id, mark.org_id)


def without_leftovers(assistant: Mapping[str, Any], mark: AgentMarker, tool_ids: Collection[str]) -> dict[str, Any]:
    """The top-level fields that differ once ``tool_ids`` and what is the mark's are taken out; {} for none.

    The block goes with the mark: where somebody else's mark stands, it is theirs by now.
    """
    changes: dict[str, Any] = {}
    model = _without_links(_model(assistant), mark, tool_ids)
    if mark.holder_of(assistant) in {Holder.THIS_AGENT, Holder.NOBODY}:
        model = _without_block(model)
    if model != _model(assistant):
        changes["model"] = model
    metadata = mark.metadata_without(assistant)
    if metadata != (assistant.get("metadata") or {}) and isinstance(assistant.get("metadata"), Mapping):
        changes["metadata"] = metadata
    return changes


def _without_links(model: Mapping[str, Any], mark: AgentMarker, tool_ids: Collection[str]) -> dict[str, Any]:
    kept = dict(model)
    if isinstance(model.get("tools"), list):  # a copy of a tool says by itself whose it is
        kept["tools"] = [item for item in model["tools"] if not is_tool_of(mark, item)]
    if isinstance(model.get("toolIds"), list):
        kept["toolIds"] = [item for item in model["toolIds"] if not _names(item, tool_ids)]
    if isinstance(model.get("toolRefs"), list):
        kept["toolRefs"] = [item for item in model["toolRefs"] if not _names(_tool_id(item), tool_ids)]
    return kept


def _without_block(model: Mapping[str, Any]) -> dict[str, Any]:
    kept = dict(model)
    if isinstance(model.get("messages"), list):
        kept["messages"] = without_tools(model["messages"])
    if isinstance(model.get(LEGACY_PROMPT), str):
        kept[LEGACY_PROMPT] = without_block(model[LEGACY_PROMPT])
    return kept


def _names(item: object, tool_ids: Collection[str]) -> bool:
    return isinstance(item, str) and item in tool_ids


def _tool_id(item: object) -> object:
    return item.get("toolId") if isinstance(item, Mapping) else None


def _model(assistant: Mapping[str, Any]) -> Mapping[str, Any]:
    model = assistant.get("model")
    return model if isinstance(model, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_id(text: str) -> bool:
    return 0 < len(text) <= ID_CHARACTERS_MAX and text.isascii() and text.replace("-", "").isalnum()
