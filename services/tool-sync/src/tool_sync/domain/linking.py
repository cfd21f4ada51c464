"""What linking reads and changes in an assistant's ``model``, and whose version of the assistant it is looking at."""

from collections.abc import Collection, Iterable, Sequence
from enum import Enum
from typing import Any

from tool_sync.domain.events import ToolRef
from tool_sync.domain.toolset import Assistant


class ModelProvenance(Enum):
    """Whose version of an assistant was read from Vapi."""

    CURRENT = "current"
    """The newest saved one, or our own write since then."""
    OUTDATED = "outdated"
    """An older revision, or our own write from before the newest save: a save was overwritten."""
    FOREIGN = "foreign"
    """Neither saved nor written by us: a save on its way, or somebody in the dashboard."""


def whose(assistant: Assistant, model_hash: str) -> ModelProvenance:
    """Compare what was read with what the log knows."""
    newest_revision, newest = assistant.saved[-1] if assistant.saved else (0, None)
    if newest is None or model_hash == newest:
        return ModelProvenance.CURRENT
    if model_hash in (assistant.written_hash, assistant.base_hash):
        # Our own write, or what it was built on. Built on the newest save, or on top of a change after it: still good.
        return ModelProvenance.CURRENT if assistant.linked_revision >= newest_revision else ModelProvenance.OUTDATED
    if any(model_hash == saved_hash for _, saved_hash in assistant.saved[:-1]):
        return ModelProvenance.OUTDATED
    return ModelProvenance.FOREIGN


def relinked(
    model: dict[str, Any],
    ours_before: Iterable[ToolRef],
    target: Sequence[ToolRef],
    unwanted: Collection[str] = (),
) -> list[object] | None:
    """The ``toolIds`` that make ``target`` linked, or None where they are linked already.

    Foreign ids keep their place. An id pinned in ``toolRefs`` counts as linked, as Vapi drops it from ``toolIds``. Ids
    that we linked before and that are no longer wanted are taken out, since a dangling id makes the live call fail; so
    are the ids of ours in ``unwanted``, which a save of an older model may have put back.
    """
    tool_ids, tool_refs = model.get("toolIds"), model.get("toolRefs")
    current: list[object] = list(tool_ids) if isinstance(tool_ids, list) else []
    pinned = {ref.get("toolId") for ref in tool_refs if isinstance(ref, dict)} if isinstance(tool_refs, list) else ()
    wanted = [ref.vapi_tool_id for ref in target]
    stale = ({ref.vapi_tool_id for ref in ours_before} | set(unwanted)) - set(wanted)
    kept = [tool_id for tool_id in current if tool_id not in stale]
    new = kept + [tool_id for tool_id in wanted if tool_id not in kept and tool_id not in pinned]
    return None if new == current else new


def unpinned(model: dict[str, Any], unwanted: Collection[str]) -> list[object] | None:
    """The ``toolRefs`` without pins of the ids in ``unwanted``, or None where there are none."""
    tool_refs = model.get("toolRefs")
    if not isinstance(tool_refs, list):
        return None
    kept = [ref for ref in tool_refs if not (isinstance(ref, dict) and ref.get("toolId") in unwanted)]
    return None if len(kept) == len(tool_refs) else kept
