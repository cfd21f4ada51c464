"""The events that concern one tool or one assistant, newest last, each with its trace."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic_core import from_json

from tool_sync.db import Connection
from tool_sync.telemetry import trace_id_of

EVENTS_MAX: Final = 50
"""The newest of them; the whole of it is in the org's history."""

_OF_ORG_FOR_TOOLS: Final = ("OrgRegistered", "OrgTierChanged", "OrgClosed", "RetryRequested")
_OF_ORG_FOR_AGENTS: Final = ("ToolSettingChanged", "OrgTierChanged", "OrgClosed")
"""What reaches every tool, or every assistant, of the org. An operator's retry of all names no agent."""

_STORY: Final = """
SELECT position, recorded_at, type, data::text AS data, meta ->> 'traceparent' AS traceparent
  FROM events
 WHERE org_id = $1 AND position <= $2
   AND ({about} OR data ->> 'subject' = $4 OR type = ANY ($5::text[]))
 ORDER BY position DESC
 LIMIT $6
"""
_OF_TOOL: Final = _STORY.format(about="data ->> 'name' = $3")
_OF_AGENT: Final = _STORY.format(
    about="data ->> 'agent_id' = $3 OR (type = 'RetryRequested' AND data ->> 'agent_id' IS NULL)"
)


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One event. ``data`` is as stored; ``trace_id`` is null where it belongs to no trace."""

    position: int
    recorded_at: datetime
    type: str
    data: dict[str, Any]
    trace_id: str | None


async def timeline_of_tool(connection: Connection, org_id: UUID, name: str, through: int) -> tuple[TimelineEntry, ...]:
    """What led to the tool's state: its own events, and those that decide whether it is wanted."""
    return await _read(connection, _OF_TOOL, org_id, through, name, f"tool:{name}", _OF_ORG_FOR_TOOLS)


async def timeline_of_agent(
    connection: Connection, org_id: UUID, agent_id: str, through: int
) -> tuple[TimelineEntry, ...]:
    """What happened to one assistant."""
    return await _read(connection, _OF_AGENT, org_id, through, agent_id, f"agent:{agent_id}", _OF_ORG_FOR_AGENTS)


async def _read(
    connection: Connection, statement: str, org_id: UUID, through: int, about: str, subject: str, also: tuple[str, ...]
) -> tuple[TimelineEntry, ...]:
    rows = await connection.fetch(statement, org_id, through, about, subject, list(also), EVENTS_MAX)
    return tuple(
        TimelineEntry(
            position=row["position"],
            recorded_at=row["recorded_at"],
            type=row["type"],
            data=from_json(row["data"]),
            trace_id=trace_id_of(row["traceparent"]),
        )
        for row in reversed(rows)
    )
