"""``tool-sync window show|set|remove ORG``: when orders may change one organization's tools."""

from typing import TYPE_CHECKING, Annotated

import typer

from tool_sync.cli.ending import end_connected
from tool_sync.cli.options import DatabaseUrl, OrgArgument, ReasonNeeded
from tool_sync.cli.output import print_line

if TYPE_CHECKING:
    from uuid import UUID

    from tool_sync.db import Connection
    from tool_sync.domain.change_window import ChangeWindow

app = typer.Typer(name="window", help="Let orders change an organization's tools at its hours.", no_args_is_help=True)

WindowArgument = Annotated[
    str, typer.Argument(metavar="HOURS", help="Every day by the organization's clock, such as 22:00-06:00.")
]


@app.command()
def show(org: OrgArgument, database_url: DatabaseUrl) -> None:
    """Show the hours, and when they begin next."""
    from tool_sync.admin.change_windows import window_said

    async def work(connection: "Connection") -> None:
        print_line(await window_said(connection, org))

    end_connected(database_url, work)


@app.command("set")
def set_(org: OrgArgument, hours: WindowArgument, database_url: DatabaseUrl, reason: ReasonNeeded) -> None:
    """Order tools to be changed in these hours only. Saves, settings, halts and repairs come at any time."""
    from tool_sync.domain.change_window import parse_window

    end_connected(database_url, _change, database_url, org, parse_window(hours), reason)


@app.command()
def remove(org: OrgArgument, database_url: DatabaseUrl, reason: ReasonNeeded) -> None:
    """Remove the hours: orders come at any time, and what waits comes now."""
    end_connected(database_url, _change, database_url, org, None, reason)


async def _change(
    connection: "Connection", database_url: str, org: "UUID", window: "ChangeWindow | str | None", reason: str
) -> None:
    """``window``: a text says what is wrong with the hours that were given."""
    from tool_sync.admin.change_windows import change_window
    from tool_sync.cli.connected import log_of
    from tool_sync.cli.exits import NotFound

    if isinstance(window, str):
        raise NotFound(window)
    async with log_of(database_url) as log:
        print_line(await change_window(connection, log, org, window, reason=reason))
