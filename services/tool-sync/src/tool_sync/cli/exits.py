"""The exit statuses, and how a command says that it cannot do what was asked for."""

from typing import Final, NoReturn

import typer

from zerotouch_platform.lines import print_error

EXIT_FOUND: Final = 1
"""The command did its work and found a problem."""
EXIT_USAGE: Final = 2
"""What was asked for is wrong or not there; or the environment is, such as settings or a database that is away."""
EXIT_REFUSED: Final = 3
"""It could be done and must not: a missing right, a guard, somebody else's installation, a log in use."""


class NotFound(Exception):
    """What the command names is not there; the message says what."""


class CommandRefused(Exception):
    """It could be done and must not, so nothing was written; the message says why."""


def error(message: object) -> None:
    """One line on stderr, folded where that is a terminal."""
    print_error(f"tool-sync: {message}")


def fail(message: object) -> NoReturn:
    """Say what is wrong with what was asked for, or with the environment."""
    error(message)
    raise typer.Exit(EXIT_USAGE)
