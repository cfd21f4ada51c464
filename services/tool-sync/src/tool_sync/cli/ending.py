"""How a command ends: by the answer of its work, or by what stands in its way.

What the work needs is imported when it runs, so that help and completion are quick.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from tool_sync.cli.options import EXIT_USAGE
from tool_sync.cli.output import error

if TYPE_CHECKING:
    from tool_sync.db import Connection


def end_with(work: Coroutine[Any, Any, int]) -> NoReturn:
    """Do the work, whose answer is the exit status."""
    raise typer.Exit(asyncio.run(work))


def end_connected(database_url: str, work: Callable[["Connection"], Awaitable[int]]) -> NoReturn:
    """Do the work on a connection of its own."""
    from tool_sync.cli.connected import connected

    end_with(connected(database_url, work))


def fail(message: object) -> NoReturn:
    """Say what is wrong with what was asked for, or with the environment."""
    error(message)
    raise typer.Exit(EXIT_USAGE)
