"""``tool-sync token``: tokens that are taken back before they run out."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tool_sync.cli.ending import end_connected
from tool_sync.cli.exits import EXIT_USAGE
from tool_sync.cli.options import DatabaseUrl, ReasonNeeded, parse_time
from tool_sync.cli.output import print_line

if TYPE_CHECKING:
    from tool_sync.db import Connection

app = typer.Typer(name="token", help="Take tokens back before they run out, and show which were.", no_args_is_help=True)


@app.command()
def revoke(
    jti: Annotated[str, typer.Argument(metavar="JTI", help="The token's id: its claim jti.")],
    database_url: DatabaseUrl,
    until: Annotated[
        datetime, typer.Option(parser=parse_time, metavar="TIME", help="When it runs out by itself: its claim exp.")
    ],
    reason: ReasonNeeded,
) -> None:
    """Take a token back: within 5 seconds it is refused. assistant-api has a list of its own."""
    from tool_sync.admin.actions import OperatorAction, note_action
    from tool_sync.cli.exits import error as say
    from zerotouch_platform.operators import operator
    from zerotouch_platform.revoked_tokens import NotRevocable
    from zerotouch_platform.revoked_tokens import revoke as take_back

    async def work(connection: "Connection") -> int:
        try:
            async with connection.transaction():
                is_new = await take_back(connection, jti, until, by=operator(), reason=reason)
                await note_action(connection, OperatorAction.TOKEN_REVOKE, jti, reason)
        except NotRevocable as refusal:
            say(refusal)
            return EXIT_USAGE
        print_line(f"{jti} is refused until {until:%Y-%m-%d %H:%M} UTC" + ("" if is_new else "; it was already"))
        return 0

    end_connected(database_url, work)


@app.command("list")
def list_tokens(database_url: DatabaseUrl) -> None:
    """List the tokens that are taken back, oldest first."""
    from zerotouch_platform.revoked_tokens import revoked

    async def work(connection: "Connection") -> None:
        for one in await revoked(connection):
            print_line(str(one))

    end_connected(database_url, work)
