"""``tool-sync dead-letters list | show | replay``: records that could not be taken in."""

from typing import Annotated

import typer

from tool_sync.cli.ending import end_connected
from tool_sync.cli.options import DatabaseUrl, DryRun, Json, Limit, Org, Since

app = typer.Typer(
    name="dead-letters", help="Show records that could not be taken in, and take them in again.", no_args_is_help=True
)

Ids = Annotated[list[int] | None, typer.Argument(metavar="ID...", help="Numbers of the list; none: all open ones.")]


@app.command("list")
def list_letters(
    database_url: DatabaseUrl,
    org: Org = None,
    since: Since = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="Also show those that are closed.")] = False,
    limit: Limit = 1000,
    as_json: Json = False,
) -> None:
    """List records that could not be taken in, oldest first."""
    from tool_sync.cli.letters import show_letters

    end_connected(
        database_url,
        lambda connection: show_letters(connection, org, since, limit, closed=all_of_them, as_json=as_json),
    )


@app.command("show")
def show_letter(
    letter_id: Annotated[int, typer.Argument(metavar="ID", help="Its number in the list.")],
    database_url: DatabaseUrl,
    as_json: Json = False,
) -> None:
    """Show one record with its bytes, of the value at most 4 KiB."""
    from tool_sync.cli.letters import show_letter as show

    end_connected(database_url, lambda connection: show(connection, letter_id, as_json=as_json))


@app.command("replay")
def replay_letters(database_url: DatabaseUrl, ids: Ids = None, org: Org = None, dry_run: DryRun = False) -> None:
    """Take records in again, as this release reads them. Exit status 1: one cannot be read this time either."""
    from tool_sync.cli.letters import replay

    end_connected(database_url, lambda connection: replay(connection, database_url, ids or [], org, dry_run=dry_run))
