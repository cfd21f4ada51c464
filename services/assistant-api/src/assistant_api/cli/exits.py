"""How a command ends: its exit status, and one line on standard error."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn, TypeVar

import asyncpg
from pydantic_settings import BaseSettings

from assistant_api.settings import line_of
from zerotouch_platform.lines import print_error
from zerotouch_platform.settings import SettingsInvalid, load

EXIT_FOUND: Final = 1
EXIT_ENVIRONMENT: Final = 2
"""Usage or environment: a wrong argument, a missing setting, a database that does not answer."""
EXIT_REFUSED: Final = 3

S = TypeVar("S", bound=BaseSettings)


def end(status: int, message: str) -> NoReturn:
    """End the process with ``status`` and say why."""
    print_error(f"assistant-api: {message}")
    raise SystemExit(status)


def settings_of(kind: type[S]) -> S:
    """The settings of a command; without them the process ends with a line for each that is missing or wrong."""
    try:
        return load(kind)
    except SettingsInvalid as error:
        lines = "\n".join(f"  {line_of(problem)}" for problem in error.problems)
        end(EXIT_ENVIRONMENT, f"settings are missing or wrong:\n{lines}")


@contextmanager
def database_answers(otherwise: str, *, in_full: bool = True) -> Iterator[None]:
    """End the process, saying ``otherwise`` and what happened, where the database does not do what it is asked.

    Not ``in_full``: the kind of error alone, where its text may quote a row.
    """
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        end(EXIT_ENVIRONMENT, f"{otherwise}: {type(error).__name__}" + (f": {error}" if in_full else ""))
