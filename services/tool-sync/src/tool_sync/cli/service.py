"""``tool-sync run`` and ``tool-sync migrate``."""

import asyncio

import typer

from tool_sync.cli.options import EXIT_USAGE, OwnerUrl


def run() -> None:
    """Run the service until SIGTERM or Ctrl-C. Settings come from the environment."""
    from tool_sync.cli.run import run_service

    raise typer.Exit(run_service())


def migrate(database_url: OwnerUrl) -> None:
    """Bring the database to the newest schema. Two at once do no harm."""
    from tool_sync import db
    from tool_sync.cli.output import error as say
    from tool_sync.migrate import MigrationFailed
    from tool_sync.migrate import migrate as migrate_database

    try:
        asyncio.run(migrate_database(database_url))
    except (MigrationFailed, *db.TRANSIENT_ERRORS) as error:
        say(f"the migration failed: {type(error).__name__}: {error}")
        raise typer.Exit(EXIT_USAGE) from None
    say("the database has the newest schema")
