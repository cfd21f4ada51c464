"""Options that more than one command takes."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from assistant_api.cli.exits import EXIT_ENVIRONMENT, end
from zerotouch_platform import times

if TYPE_CHECKING:
    from assistant_api.access_log.entry import Who


def parse_time(text: str) -> datetime:
    """The moment that is meant; without a zone it is UTC."""
    try:
        return times.parse_time(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


DatabaseUrl = Annotated[str, typer.Option(envvar="DATABASE_URL", help="Connect to this postgresql:// URL.")]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Say why, in one line that is kept and names no patient.")
]
Since = Annotated[
    datetime | None,
    typer.Option(parser=parse_time, metavar="TIME", help="Start at this time: 2026-11-28 14:30, 2h, yesterday."),
]


def operator_of(reason: str) -> "Who":
    """Whoever runs the command, and why; ends it where the reason cannot be kept. The database adds its login."""
    from assistant_api.access_log.entry import Who, reason_problem
    from zerotouch_platform.operators import operator

    if (problem := reason_problem(reason)) is not None:
        end(EXIT_ENVIRONMENT, f"nothing was changed: {problem}")
    return Who(operator(), "operator", reason=reason)
