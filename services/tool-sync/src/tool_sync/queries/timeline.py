"""The events that concern one org, one tool or one assistant, newest last, each with its trace."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
from pydantic_core import from_json

from tool_sync.db import Connection
from tool_sync.queries.organizations import is_known
from zerotouch_platform.traceparent import trace_id_of

EVENTS_MAX: Final = 50
"""The newest of them; the whole of it is in the org's history."""

_OF_ORG_FOR_TOOLS: Final = ("OrgRegistered", "OrgTierChanged", "OrgClosed", "RetryRequested")
_OF_ORG_FOR_AGENTS: Final = (
    "ToolSettingChanged", "ToolSettingRemoved", "ToolCustomized", "ToolPinned", "ToolUnpinned", "ToolPinExpired",
    "OrgTierChanged", "OrgClosed",
)  # fmt: skip
"""What reaches every tool, or every assistant, of the org. An operator's retry of all names no agent."""

_ABOUT_AGENT: Final = "data ->> 'agent_id' = $3 OR (type = 'RetryRequested' AND data ->> 'agent_id' IS NULL)"
_EVENTS: Final = """
SELECT position, recorded_at, type, data::text AS data, meta ->> 'traceparent' AS traceparent
  FROM events
 WHERE org_id = $1"""
_OF_ORG: Final = f"{_EVENTS} AND position > $2 ORDER BY position LIMIT $3"
_ABOUT: Final = f"""{_EVENTS} AND position <= $2
   AND ({{about}} OR data ->> 'subject' = $4 OR type = ANY ($5::text[]))
 ORDER BY position DESC
 LIMIT $6
"""
_NEXT: Final = f"""{_EVENTS} AND position > $2
   AND ({_ABOUT_AGENT} OR data ->> 'subject' = $4 OR type = ANY ($5::text[]))
 ORDER BY position LIMIT 1
"""
# A trace is of one save, so its events are near: the walk ends after so many events of the org.
_OF_TRACE: Final = """
SELECT position, recorded_at, type, data::text AS data, traceparent
  FROM (SELECT position, recorded_at, type, data, meta ->> 'traceparent' AS traceparent FROM events
         WHERE org_id = $1 AND position BETWEEN $2 AND $3 ORDER BY position LIMIT 2000) near
 WHERE substr(traceparent, 4, 32) = $4
 ORDER BY position LIMIT $5
"""
_OF_TOOL: Final = _ABOUT.format(about="data ->> 'name' = $3")
_OF_AGENT: Final = _ABOUT.format(about=_ABOUT_AGENT)


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One event. ``data`` is as stored; ``trace_id`` is null where it belongs to no trace."""

    position: int
    recorded_at: datetime
    type: str
    data: dict[str, Any]
    trace_id: str | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """Events of an org, oldest first. ``next_after`` asks for the next page; null where this is the last so far."""

    events: tuple[TimelineEntry, ...]
    next_after: int | None


async def timeline_of_tool(connection: Connection, org_id: UUID, name: str, through: int) -> tuple[TimelineEntry, ...]:
    """What led to the tool's state: its own events, and those that decide whether it is wanted."""
    return await _read(connection, _OF_TOOL, org_id, through, name, f"tool:{name}", _OF_ORG_FOR_TOOLS)


async def timeline_of_agent(
    connection: Connection, org_id: UUID, agent_id: str, through: int
) -> tuple[TimelineEntry, ...]:
    """What happened to one assistant."""
    return await _read(connection, _OF_AGENT, org_id, through, agent_id, f"agent:{agent_id}", _OF_ORG_FOR_AGENTS)


async def next_of_agent(connection: Connection, org_id: UUID, agent_id: str, after: int) -> TimelineEntry | None:
    """The first thing that happened to an assistant after a position; None where nothing has."""
    row = await connection.fetchrow(_NEXT, org_id, after, agent_id, f"agent:{agent_id}", _OF_ORG_FOR_AGENTS)
    return None if row is None else _entry(row)


async def timeline_of_trace(
    connection: Connection, org_id: UUID, trace_id: str, first: int, through: int
) -> tuple[TimelineEntry, ...]:
    """The org's events of one trace between two positions, oldest first; of a long trace the first ``EVENTS_MAX``."""
    rows = await connection.fetch(_OF_TRACE, org_id, first, through, trace_id, EVENTS_MAX)
    return tuple(_entry(row) for row in rows)


async def _read(
    connection: Connection, statement: str, org_id: UUID, through: int, about: str, subject: str, also: tuple[str, ...]
) -> tuple[TimelineEntry, ...]:
    rows = await connection.fetch(statement, org_id, through, about, subject, list(also), EVENTS_MAX)
    return tuple(_entry(row) for row in reversed(rows))


async def history_of(connection: Connection, org_id: UUID, *, after: int, limit: int) -> Timeline | None:
    """The org's events above position ``after``, oldest first; None where the org is not known (to this role)."""
    rows = await connection.fetch(_OF_ORG, org_id, after, limit)
    if not rows and not await is_known(connection, org_id):
        return None
    events = tuple(_entry(row) for row in rows)
    return Timeline(events, events[-1].position if len(events) == limit else None)


def _entry(row: asyncpg.Record) -> TimelineEntry:
    position, recorded_at, type_name, data, traceparent = row
    return TimelineEntry(position, recorded_at, type_name, from_json(data), trace_id_of(traceparent))
