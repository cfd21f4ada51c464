"""How a command ends: by the answer of its work, or by what stands in its way.

What the work needs is imported when it runs, so that help and completion are quick.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Concatenate, NoReturn, ParamSpec

import typer

if TYPE_CHECKING:
    from tool_sync.db import Connection

P = ParamSpec("P")


def end_with(work: Coroutine[Any, Any, int | None]) -> NoReturn:
    """Do the work, whose answer is the exit status; None is 0."""
    import asyncio

    raise typer.Exit(asyncio.run(work) or 0)


def end_answered(work: Coroutine[Any, Any, int | None]) -> NoReturn:
    """Do work that needs no connection, and say what stands in its way."""
    from tool_sync.cli.connected import answered

    end_with(answered(work))


def end_connected(
    database_url: str,
    work: Callable[Concatenate["Connection", P], Awaitable[int | None]],
    *args: P.args,
    **options: P.kwargs,
) -> NoReturn:
    """Do ``work(connection, *args, **options)`` on a connection of its own."""
    from tool_sync.cli.connected import connected

    end_with(connected(database_url, lambda connection: work(connection, *args, **options)))
