"""``tool-sync tools``, ``history`` and ``coverage``: what an organization has, its past, and who can book."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Final, TypeVar
from uuid import UUID

import typer

from tool_sync.cli.ending import end_connected
from tool_sync.cli.options import At, DatabaseUrl, Json, Limit, OrgArgument
from tool_sync.cli.output import called, entry, print_line, show, utc

if TYPE_CHECKING:
    from tool_sync.db import Connection
    from tool_sync.queries.org_tools import OrgTools
    from tool_sync.queries.timeline import TimelineEntry

DATA_CHARACTERS_SHOWN: Final = 200

T = TypeVar("T")


def tools(org_id: OrgArgument, database_url: DatabaseUrl, at: At = None, as_json: Json = False) -> None:
    """Show the tools that an organization has in Vapi, or had."""
    from tool_sync.admin.change_windows import window_set
    from tool_sync.queries.org_tools import tools_at, tools_of

    async def work(connection: "Connection") -> None:
        found = _known(org_id, await (tools_of(connection, org_id) if at is None else tools_at(connection, org_id, at)))
        show("tools", found, _tool_lines(org_id, found), as_json=as_json)
        if at is None and not as_json and (said := await window_set(connection, org_id)) is not None:
            print_line(said)

    end_connected(database_url, work)


def _tool_lines(org_id: UUID, found: "OrgTools") -> Iterator[str]:
    from pydantic_core import to_json

    from tool_sync.queries.tool_settings import said

    if found.name != str(org_id):
        yield called(org_id, found.name)
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
        if setting.custom_config:
            yield f"  {to_json(setting.custom_config).decode()}"
        if setting.lost:
            yield f"  lost, to be set again: {', '.join(setting.lost)}"
    yield f"{len(found.tools)} tool(s), as of position {found.as_of_position}"


def history(
    org_id: OrgArgument,
    database_url: DatabaseUrl,
    after: Annotated[int, typer.Option(help="Show only events above this position.", min=0)] = 0,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """Show what happened to an organization, oldest first."""
    from tool_sync.queries.timeline import history_of

    async def work(connection: "Connection") -> None:
        found = _known(org_id, await history_of(connection, org_id, after=after, limit=limit))
        more = () if found.next_after is None else (f"more: --after {found.next_after}",)
        show("history", found, (*event_lines(found.events, None), *more), as_json=as_json, complete=not more)

    end_connected(database_url, work)


def _known(org_id: UUID, found: T | None) -> T:
    if found is None:
        from tool_sync.cli.exits import NotFound

        raise NotFound(f"there is no organization {org_id}")
    return found


def event_lines(events: Sequence["TimelineEntry"], jaeger_url: str | None) -> Iterator[str]:
    """A stored event each: position and type, then when, its trace and its data."""
    from pydantic_core import to_json

    from zerotouch_platform.traces import page_of

    for event in events:
        data = to_json(event.data).decode()
        shown = data if len(data) <= DATA_CHARACTERS_SHOWN else data[:DATA_CHARACTERS_SHOWN] + "…"
        fields = (
            ("recorded at", f"{event.recorded_at:%Y-%m-%d %H:%M:%S.%f} UTC"),
            ("trace", page_of(event.trace_id, jaeger_url) or event.trace_id),
            ("data", shown),
        )
        yield from entry(f"{event.position} {event.type}", fields)


def coverage(
    database_url: DatabaseUrl,
    org_id: Annotated[UUID | None, typer.Argument(metavar="ORG", help="Limit to this organization.")] = None,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """Show how many assistants can book, of those that should, and why the others cannot.

    Exit status 1: an assistant that should book cannot.
    """
    from tool_sync.cli.coverage import show_coverage

    end_connected(database_url, show_coverage, org_id, limit, as_json=as_json)
