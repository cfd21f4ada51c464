"""``tool-sync run``, ``tool-sync console`` and ``tool-sync migrate``."""

import asyncio

import typer

from tool_sync.cli.exits import error as say
from tool_sync.cli.exits import fail
from tool_sync.cli.options import OwnerUrl, WorkersOption


def run(workers: WorkersOption = None) -> None:
    """Run the service until SIGTERM or Ctrl-C. Settings come from the environment."""
    from tool_sync.cli.launch import launch

    raise typer.Exit(launch(workers))


def console() -> None:
    """Serve the console at CONSOLE_PORT until SIGTERM or Ctrl-C, as a process of its own.

    Takes the settings of `tool-sync run`, and works from the database alone.

    CONSOLE_IN_RUN=false lets `tool-sync run` leave the console to it.
    """
    from tool_sync.cli.launch import launch_console

    raise typer.Exit(launch_console())


def migrate(database_url: OwnerUrl) -> None:
    """Migrate the database to the newest schema. Two migrations at once do no harm."""
    from tool_sync import db
    from tool_sync.migrate import MigrationFailed
    from tool_sync.migrate import migrate as migrate_database

    try:
        asyncio.run(migrate_database(database_url))
    except (MigrationFailed, *db.WAITED_OUT_ERRORS) as error:
        fail(f"the migration failed: {type(error).__name__}: {error}")
    say("the database has the newest schema")
