"""``tool-sync history`` and ``tool-sync tools``: what the database knows of an org, as a list or as JSON."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID

from pydantic_core import to_json

from tool_sync.cli.connected import NotFound
from tool_sync.cli.output import entry, show, utc
from tool_sync.db import Connection
from tool_sync.queries.org_tools import OrgTools, tools_at, tools_of
from tool_sync.queries.timeline import Timeline, TimelineEntry, history_of
from tool_sync.queries.tool_settings import said
from zerotouch_platform.traces import page_of

DATA_CHARACTERS_SHOWN: Final = 200

T = TypeVar("T")


async def show_history(connection: Connection, org_id: UUID, after: int, limit: int, *, as_json: bool) -> int:
    """Print an org's events above position ``after``, oldest first; returns the exit status."""
    found = _known(org_id, await history_of(connection, org_id, after=after, limit=limit))
    show("history", found, _history_lines(found), as_json=as_json, complete=found.next_after is None)
    return 0


async def show_tools(connection: Connection, org_id: UUID, at: datetime | None, *, as_json: bool) -> int:
    """Print an org's tools by name, as they are or were; returns the exit status."""
    found = await (tools_of(connection, org_id) if at is None else tools_at(connection, org_id, at))
    found = _known(org_id, found)
    show("tools", found, _tool_lines(found), as_json=as_json)
    return 0


def _known(org_id: UUID, found: T | None) -> T:
    if found is None:
        raise NotFound(f"there is no organization {org_id}")
    return found


def event_lines(events: Sequence[TimelineEntry], jaeger_url: str | None) -> Iterator[str]:
    """A stored event each: position and type, then when, its trace and its data."""
    for event in events:
        data = to_json(event.data).decode()
        shown = data if len(data) <= DATA_CHARACTERS_SHOWN else data[:DATA_CHARACTERS_SHOWN] + "…"
        fields = (
            ("recorded at", f"{event.recorded_at:%Y-%m-%d %H:%M:%S.%f} UTC"),
            ("trace", page_of(event.trace_id, jaeger_url) or event.trace_id),
            ("data", shown),
        )
        yield from entry(f"{event.position} {event.type}", fields)


def _history_lines(found: Timeline) -> Iterator[str]:
    yield from event_lines(found.events, None)
    if found.next_after is not None:
        yield f"more: --after {found.next_after}"


def _tool_lines(found: OrgTools) -> Iterator[str]:
    for tool in found.tools:
        fields = (
            ("id at Vapi", tool.vapi_tool_id),
            ("enabled", "yes" if tool.enabled else "no"),
            ("definition version", tool.definition_version),
            ("account", tool.vapi_account),
            ("updated at", utc(tool.updated_at)),
            ("position", tool.position),
        )
        yield from entry(tool.tool_name, fields)
    for setting in found.settings:
        yield f"{setting.tool_name}: {said(setting)}"
    yield f"{len(found.tools)} tool(s), as of position {found.as_of_position}"
