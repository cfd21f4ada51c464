"""``tool-sync history`` and ``tool-sync tools``: what the database knows of an org, as a list or as JSON."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID

from pydantic_core import to_json

from tool_sync import db
from tool_sync.cli.connected import NotFound, connected
from tool_sync.cli.output import entry, print_json, print_lines, utc
from tool_sync.queries.org_tools import OrgTools, tools_at, tools_of
from tool_sync.queries.timeline import History, TimelineEntry, history_of
from zerotouch_platform.traces import page_of

DATA_CHARACTERS_SHOWN: Final = 200

T = TypeVar("T", History, OrgTools)


async def show_history(database_url: str, org_id: UUID, *, after: int, limit: int, as_json: bool) -> int:
    """Print an org's events above position ``after``, oldest first; returns the exit status."""

    async def read(connection: db.Connection) -> History | None:
        return await history_of(connection, org_id, after=after, limit=limit)

    def said(found: History) -> int:
        if as_json:
            print_json("history", asdict(found), complete=found.next_after is None)
            return 0
        print_lines(event_lines(found.events, None))
        if found.next_after is not None:
            print(f"more: --after {found.next_after}")
        return 0

    return await _show(database_url, org_id, read, said)


async def show_tools(database_url: str, org_id: UUID, *, at: datetime | None, as_json: bool) -> int:
    """Print an org's tools by name, as they are or were; returns the exit status."""

    async def read(connection: db.Connection) -> OrgTools | None:
        return await tools_of(connection, org_id) if at is None else await tools_at(connection, org_id, at)

    def said(found: OrgTools) -> int:
        if as_json:
            print_json("tools", asdict(found))
            return 0
        print_lines(_tool_lines(found))
        return 0

    return await _show(database_url, org_id, read, said)


async def _show(
    database_url: str,
    org_id: UUID,
    read: Callable[[db.Connection], Awaitable[T | None]],
    said: Callable[[T], int],
) -> int:
    async def work(connection: db.Connection) -> int:
        answer = await read(connection)
        if answer is None:
            raise NotFound(f"there is no organization {org_id}")
        return said(answer)

    return await connected(database_url, work)


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
    yield f"{len(found.tools)} tool(s), as of position {found.as_of_position}"
