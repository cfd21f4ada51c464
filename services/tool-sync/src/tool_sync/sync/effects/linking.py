"""Assistants that link what is to go: told to the log, so that each is looked at and the link taken out.

A restore may have lost that they were linked. Nobody saves them, and their rows say what they said in the backup.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tool_sync.domain.drift import is_at_rest
from tool_sync.domain.events import AssistantDriftSeen
from tool_sync.sync.write_guard import WriteGuard

SOURCE: Final = "/zerotouch/tool-sync/sweep"


@dataclass(frozen=True, slots=True)
class Marked:
    """An assistant at Vapi with the ids in its mark."""

    assistant_id: str
    installation_id: str
    org_id: str
    agent_id: str


def marked_of(document: object) -> Marked | None:
    """The assistant, where it carries a whole mark of some installation."""
    if not isinstance(document, Mapping) or not isinstance(metadata := document.get("metadata"), Mapping):
        return None
    keys = ("zerotouch_installation", "organization_id", "agent_id")
    ids = [one for one in (document.get("id"), *(metadata.get(key) for key in keys)) if isinstance(one, str)]
    return Marked(*ids) if len(ids) == 1 + len(keys) else None


async def tell_linking(guard: WriteGuard, org_id: UUID, found: Iterable[Marked]) -> None:
    """Tell of those that are this org's by its rows, too, and that nobody is at work on."""
    context, ours = guard.context, (str(guard.context.blueprint.installation_id), str(org_id))
    mine = {one.agent_id: one.assistant_id for one in found if (one.installation_id, one.org_id) == ours}
    if not mine:
        return
    rows = (await context.store.assistants([(org_id, agent_id) for agent_id in mine])).get(org_id, {})
    seen = [
        AssistantDriftSeen(agent_id, row.assistant_id, gone=False)
        for agent_id, row in sorted(rows.items())
        if not row.removed and row.assistant_id == mine[agent_id] and is_at_rest(guard.state, agent_id)
    ]
    if seen:
        await context.log.append_all([context.fact(org_id, event, source=SOURCE) for event in seen])
