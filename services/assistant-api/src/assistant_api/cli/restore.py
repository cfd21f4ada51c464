"""`assistant-api restore`."""

import asyncio
from typing import Annotated

import typer

from assistant_api.cli.exits import EXIT_REFUSED, database_answers, end, settings_of
from assistant_api.cli.options import Reason, operator_of
from assistant_api.settings.commands import RestoreSettings


def restore(reason: Reason, yes: Annotated[bool, typer.Option("--yes", help="Skip the question.")] = False) -> None:
    """Resume after a restore from a backup, without making any assistant twice. Stop the service first."""
    from assistant_api.cli.restoring import CannotRestore, restore_database

    who = operator_of(reason)
    settings = settings_of(RestoreSettings)
    if not yes and not typer.confirm("Every agent is brought to Vapi again, as the database has it. Begin?"):
        end(EXIT_REFUSED, "nothing was changed")
    try:
        with database_answers("nothing was changed"):
            asyncio.run(restore_database(settings, who))
    except CannotRestore as error:
        end(EXIT_REFUSED, f"nothing was changed: {error}")
