"""``tool-sync history`` and ``tool-sync tools``: what the database knows of an org, as a table or as JSON."""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from pydantic_core import to_json
from rich.console import Console
from rich.table import Table

from tool_sync import db
from tool_sync.cli.options import COLUMNS_IN_FILES
from tool_sync.queries.as_of import BeforeFirstEvent
from tool_sync.queries.org_tools import OrgTools, tools_at, tools_of
from tool_sync.queries.timeline import History, history_of

EXIT_UNKNOWN_ORG = 1
EXIT_DATABASE = 3
DATA_CHARACTERS_SHOWN = 200

T = TypeVar("T", History, OrgTools)


async def show_history(database_url: str, org_id: UUID, *, after: int, limit: int, as_json: bool) -> int:
    """Print an org's events above position ``after``, oldest first; returns the exit status."""
    return await _show(
        database_url,
        org_id,
        lambda connection: history_of(connection, org_id, after=after, limit=limit),
        None if as_json else _history_table,
    )


async def show_tools(database_url: str, org_id: UUID, *, at: datetime | None, as_json: bool) -> int:
    """Print an org's tools by name, as they are or were; returns the exit status."""

    async def read(connection: db.Connection) -> OrgTools | None:
        if at is None:
            return await tools_of(connection, org_id)
        return await tools_at(connection, org_id, at)

    return await _show(
        database_url,
        org_id,
        read,
        None if as_json else _tools_table,
    )


async def _show(
    database_url: str,
    org_id: UUID,
    read: Callable[[db.Connection], Awaitable[T | None]],
    to_table: Callable[[T], Table] | None,
) -> int:
    try:
        connection = await db.connect(database_url, application_name="tool-sync cli")
        try:
            answer = await read(connection)
        finally:
            await connection.close()
    except BeforeFirstEvent as error:
        print(f"tool-sync: {error}", file=sys.stderr)
        return EXIT_UNKNOWN_ORG
    except db.TRANSIENT_ERRORS as error:
        print(f"tool-sync: the database does not answer: {type(error).__name__}: {error}", file=sys.stderr)
        return EXIT_DATABASE
    if answer is None:
        print(f"tool-sync: there is no organization {org_id}", file=sys.stderr)
        return EXIT_UNKNOWN_ORG
    if to_table is None:
        print(to_json(asdict(answer), indent=2).decode())
    else:
        Console(width=None if sys.stdout.isatty() else COLUMNS_IN_FILES).print(to_table(answer))
    return 0


def _history_table(history: History) -> Table:
    table = Table("position", "recorded at (UTC)", "event", title="History")
    table.add_column("trace", no_wrap=True)
    table.add_column("data", overflow="fold")
    for event in history.events:
        data = to_json(event.data).decode()
        shown = data if len(data) <= DATA_CHARACTERS_SHOWN else data[:DATA_CHARACTERS_SHOWN] + "…"
        at = f"{event.recorded_at:%Y-%m-%d %H:%M:%S.%f}"
        table.add_row(str(event.position), at, event.type, event.trace_id, shown)
    if history.next_after is not None:
        table.caption = f"more: --after {history.next_after}"
    return table


def _tools_table(tools: OrgTools) -> Table:
    table = Table("tool", title="Tools")
    table.add_column("Vapi id", no_wrap=True)
    for heading in ("enabled", "version", "account", "updated at (UTC)", "position"):
        table.add_column(heading)
    for tool in tools.tools:
        table.add_row(
            tool.tool_name,
            tool.vapi_tool_id,
            "yes" if tool.enabled else "no",
            str(tool.definition_version),
            tool.vapi_account,
            f"{tool.updated_at:%Y-%m-%d %H:%M:%S}",
            str(tool.position),
        )
    table.caption = f"as of position {tools.as_of_position}"
    return table
