"""``tool-sync describe``: everything about one thing on one page of text."""

from typing import TYPE_CHECKING, Annotated

import typer

from tool_sync.cli.ending import end_connected
from tool_sync.cli.exits import EXIT_FOUND
from tool_sync.cli.options import At, ConsoleUrl, DatabaseUrl, JaegerUrl, Json

if TYPE_CHECKING:
    from tool_sync.db import Connection


def describe(
    thing: Annotated[
        str,
        typer.Argument(
            metavar="ORG|ASSISTANT|TOOL|ROLLOUT", help="Its id, a tool's name, or how a rollout's id begins."
        ),
    ],
    database_url: DatabaseUrl,
    at: At = None,
    console_url: ConsoleUrl = None,
    jaeger_url: JaegerUrl = None,
    as_json: Json = False,
) -> None:
    """Describe something on one page: what it is, what is wrong, what happens next, and who changed what.

    Exit status 1: something is wrong with it. --at is for an assistant.
    """
    from tool_sync.admin.describing.finding import OnlyNow
    from tool_sync.admin.describing.finding import describe as find_described
    from tool_sync.admin.describing.page import NOT_LOOKED_AT, description_lines
    from tool_sync.cli.exits import NotFound
    from tool_sync.cli.output import show

    async def work(connection: "Connection") -> int:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            try:
                found = await find_described(connection, thing, at, console_url, jaeger_url)
            except OnlyNow as error:
                raise NotFound(str(error)) from error
        if not found:
            raise NotFound(f"nothing is called {thing}; `tool-sync org find TEXT` finds a clinic by its name")
        show("describe", found, description_lines(found), as_json=as_json, not_looked_at=NOT_LOOKED_AT)
        return EXIT_FOUND if any(one.wrong for one in found) else 0

    end_connected(database_url, work)
