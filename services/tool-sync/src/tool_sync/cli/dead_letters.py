"""``tool-sync dead-letters list | show | replay | acknowledge``: records that could not be taken in."""

from typing import Annotated

import typer

from tool_sync.cli.ending import end_connected
from tool_sync.cli.options import DatabaseUrl, DryRun, Json, Limit, Org, Since

app = typer.Typer(
    name="dead-letters", help="Show records that could not be read, and read them again.", no_args_is_help=True
)

Ids = Annotated[
    list[int] | None, typer.Argument(metavar="ID", help="Numbers from the list; without any, every open one.")
]
LetterId = Annotated[int, typer.Argument(metavar="ID", help="The number that `list` shows.")]


@app.command("list")
def list_letters(
    database_url: DatabaseUrl,
    org: Org = None,
    since: Since = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="Also show those that are closed.")] = False,
    limit: Limit = 1000,
    as_json: Json = False,
) -> None:
    """List records that could not be read, oldest first."""
    from tool_sync.cli.letters import show_letters

    end_connected(
        database_url,
        lambda connection: show_letters(connection, org, since, limit, closed=all_of_them, as_json=as_json),
    )


@app.command("show")
def show_letter(
    letter_id: LetterId,
    database_url: DatabaseUrl,
    as_json: Json = False,
) -> None:
    """Show one record with its bytes; of its value, the first 4 KiB."""
    from tool_sync.cli.letters import show_letter as show

    end_connected(database_url, lambda connection: show(connection, letter_id, as_json=as_json))


@app.command("replay")
def replay_letters(database_url: DatabaseUrl, ids: Ids = None, org: Org = None, dry_run: DryRun = False) -> None:
    """Read records again with this release. Exit status 1: one of them still cannot be read."""
    from tool_sync.cli.letters import replay

    end_connected(database_url, lambda connection: replay(connection, database_url, ids or [], org, dry_run=dry_run))


@app.command("acknowledge")
def acknowledge_letter(
    letter_id: LetterId,
    database_url: DatabaseUrl,
    reason: Annotated[str, typer.Option(help="Say why it needs nothing more.")],
) -> None:
    """Acknowledge a record that needs nothing more, so that the audit no longer counts it as a gap."""
    from tool_sync.cli.letters import acknowledge_letter as acknowledge

    end_connected(database_url, lambda connection: acknowledge(connection, letter_id, reason))
