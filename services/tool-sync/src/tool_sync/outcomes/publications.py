"""Domain event -> contract message: which stored events are published on the outcomes topic, and as what. Pure.

The sequence and the requests were decided with the event; a publication only copies them, so that relay, feed and
replay say the same.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from tool_sync.domain import events
from zerotouch_contracts.errors import entry_of
from zerotouch_contracts.events import AssistantDiverged, OutcomeMessage, ToolsSynced, ToolSyncFailed

STORED_AS: Final[Mapping[type[Any], tuple[type[events.Event], ...]]] = {
    ToolsSynced: (events.AssistantSynced,),
    ToolSyncFailed: (events.AssistantSyncFailed,),
    AssistantDiverged: (events.AssistantDiverged,),
}
"""The stored events that each message is made of: the only ones that :func:`publication_of` makes a message of."""


def publication_of(org_id: UUID | None, event: events.Event) -> OutcomeMessage | None:
    """The message of an org's stored event, or None where it is not published (another type, or without a sequence).

    Raises ``ValidationError`` where the event does not fit the contract, which is a bug of ours.
    """
    match event:
        case events.AssistantSynced(sequence=int()):
            return ToolsSynced.model_validate(_outcome(org_id, event) | {"reason": event.reason})
        case events.AssistantSyncFailed():
            failed_tools = tuple([{"name": tool.name, "code": tool.code} for tool in event.failed_tools])
            more = {"failed_tools": failed_tools, "code": event.code, "message": _message_of(event.code)}
            return ToolSyncFailed.model_validate(_outcome(org_id, event) | more)
        case events.AssistantDiverged():
            return AssistantDiverged.model_validate(_about(org_id, event))
        case _:
            return None


def _about(
    org_id: UUID | None, event: events.AssistantSynced | events.AssistantSyncFailed | events.AssistantDiverged
) -> dict[str, Any]:
    """The fields of all three. Documents, not models: made in one pass, a page of 1,000 costs half."""
    return {
        "org_id": org_id,
        "sequence": event.sequence,
        "agent_id": event.agent_id,
        "assistant_id": event.assistant_id,
        "revision": event.revision,
    }


def _outcome(org_id: UUID | None, event: events.AssistantSynced | events.AssistantSyncFailed) -> dict[str, Any]:
    tools = [
        {"name": tool.name, "vapi_tool_id": tool.vapi_tool_id, "definition_version": tool.definition_version}
        for tool in event.tools
    ]
    requests = [{"request_id": one.request_id, "trace_id": one.trace_id} for one in event.requests]
    more = {"vapi_account": event.account, "tools": tuple(tools), "requests": tuple(requests), "cause": event.cause}
    return _about(org_id, event) | more


def _message_of(code: str) -> str:
    if (entry := entry_of(code)) is None:  # written by a newer release, whose catalogue has more codes
        return ""
    return f"{entry.title[0].upper()}{entry.title[1:]}: {entry.meaning} {entry.what_to_do}"
