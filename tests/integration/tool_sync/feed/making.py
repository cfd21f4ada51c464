"""Published events for the tests of what reads them."""

from uuid import UUID, uuid4

from tool_sync.domain import events as e
from tool_sync.log import AppendRequest, Meta, NewEvent, org_stream, toolset_stream

TRACE = "0af7651916cd43dd8448eb211c80319c"
META = Meta("cause", "correlation", f"00-{TRACE}-b7ad6b7169203331-01", "test", "1")
TOOLS = (e.ToolRef("bookClinicAppointment", "tool-1", 1, "a" * 64),)


def synced(sequence: int | None) -> e.AssistantSynced:
    """A sync of an assistant, published where it has a sequence."""
    requests = (e.Settled(uuid4(), TRACE),)
    return e.AssistantSynced("agent-1", "assistant-1", 1, "platform", TOOLS, requests, 1, None, sequence)


def failed(sequence: int) -> e.AssistantSyncFailed:
    """A failed sync."""
    return e.AssistantSyncFailed("agent-1", "assistant-1", 1, "platform", (), (), "TS-301", (), 1, None, sequence)


def did(org_id: UUID, *events: e.Event) -> AppendRequest:
    """A request for the org's stream of what we did."""
    return AppendRequest(
        toolset_stream(org_id), org_id, None, tuple(NewEvent(uuid4(), event) for event in events), META
    )


def registered(org_id: UUID) -> AppendRequest:
    """A request for an event that is never published."""
    return AppendRequest(org_stream(org_id), org_id, None, (NewEvent(uuid4(), e.OrgRegistered("basic")),), META)
