"""Histories for the tests here."""

from uuid import UUID, uuid4

from tool_sync.domain import events as e
from tool_sync.log import AppendRequest, EventLog, Meta, NewEvent, org_stream, toolset_stream

META = Meta("cause", "correlation", None, "test", "1")
NAMES = (
    "organizations", "org_tools", "assistants", "pending_syncs", "fleet_tools", "org_tool_settings", "tool_refusals",
    "org_tool_pins", "org_change_windows", "tool_drifts",
)  # fmt: skip


def arrived(org_id: UUID, *events: e.Event) -> AppendRequest:
    return AppendRequest(org_stream(org_id), org_id, None, tuple(NewEvent(uuid4(), event) for event in events), META)


def did(org_id: UUID, *events: e.Event) -> AppendRequest:
    return AppendRequest(
        toolset_stream(org_id), org_id, None, tuple(NewEvent(uuid4(), event) for event in events), META
    )


def registered(name: str = "book", vapi_tool_id: str = "tool-1") -> e.ToolRegistered:
    return e.ToolRegistered(uuid4(), "platform", name, vapi_tool_id, 1, "f" * 64, "f" * 64, adopted=False)


def save(agent_id: str = "agent-1") -> e.SyncRequested:
    return e.SyncRequested(uuid4(), agent_id, "assistant-1", 1, "a" * 64, "save", None)


async def make_orgs(log: EventLog, number: int) -> list[UUID]:
    """Orgs with a tool, an assistant and an open request: three events each."""
    orgs = [uuid4() for _ in range(number)]
    await log.append_all([arrived(org, e.OrgRegistered("basic"), save()) for org in orgs])
    await log.append_all([did(org, registered(vapi_tool_id=f"tool-{org}")) for org in orgs])
    return orgs
