"""The commands. Each imports what it needs when it runs."""

import asyncio
import sys
from typing import Annotated
from uuid import UUID

import typer

app = typer.Typer(
    name="tool-sync",
    help="Makes every assistant have its tools in Vapi, and keeps the event log that proves it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

OrgArgument = Annotated[UUID, typer.Argument(metavar="ORG", help="The organization's id.")]
DatabaseOption = Annotated[str, typer.Option(envvar="DATABASE_URL", help="postgresql:// URL.", show_default=False)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.command()
def run() -> None:
    """Run the service until SIGTERM or Ctrl-C; settings come from the environment."""
    from tool_sync.cli.run import run_service

    raise typer.Exit(run_service())


@app.command()
def migrate(
    database_url: Annotated[
        str, typer.Option(envvar="MIGRATE_DATABASE_URL", help="URL of the database's owner.", show_default=False)
    ],
) -> None:
    """Bring the database to the newest schema; two at once are safe."""
    from tool_sync.migrate import migrate as migrate_database

    asyncio.run(migrate_database(database_url))
    print("tool-sync: the database has the newest schema", file=sys.stderr)


@app.command()
def history(
    org_id: OrgArgument,
    database_url: DatabaseOption,
    after: Annotated[int, typer.Option(help="Only events above this position.", min=0)] = 0,
    limit: Annotated[int, typer.Option(help="At most so many events.", min=1, max=10_000)] = 100,
    as_json: JsonOption = False,
) -> None:
    """Show what happened to an organization, oldest first."""
    from tool_sync.cli.show import show_history

    raise typer.Exit(asyncio.run(show_history(database_url, org_id, after=after, limit=limit, as_json=as_json)))


@app.command()
def tools(org_id: OrgArgument, database_url: DatabaseOption, as_json: JsonOption = False) -> None:
    """Show the tools that an organization has in Vapi."""
    from tool_sync.cli.show import show_tools

    raise typer.Exit(asyncio.run(show_tools(database_url, org_id, as_json=as_json)))
