"""`assistant-api token`: tokens that are taken back before they run out."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from assistant_api.cli.connected import run_connected
from assistant_api.cli.exits import EXIT_ENVIRONMENT, end
from assistant_api.cli.options import DatabaseUrl, Reason, operator_of, parse_time
from zerotouch_platform.lines import print_line

if TYPE_CHECKING:
    from zerotouch_platform.postgres.pool import Connection

app = typer.Typer(help="Take tokens back before they run out, and show which were.", no_args_is_help=True)


@app.command()
def revoke(
    jti: Annotated[str, typer.Argument(metavar="JTI", help="The token's id, as `access list --json` shows it.")],
    database_url: DatabaseUrl,
    until: Annotated[
        datetime, typer.Option(parser=parse_time, metavar="TIME", help="When it runs out by itself: its claim exp.")
    ],
    reason: Reason,
) -> None:
    """Take a token back: within 5 seconds it is refused. tool-sync has a list of its own."""
    from assistant_api.access_log.entry import Action, Entry
    from assistant_api.access_log.record import record
    from zerotouch_platform.operators import operator
    from zerotouch_platform.revoked_tokens import NotRevocable
    from zerotouch_platform.revoked_tokens import revoke as take_back

    entry = Entry(operator_of(reason), Action.TOKEN_REVOKE, None, jti)

    async def work(connection: "Connection") -> int:
        try:
            async with connection.transaction():
                is_new = await take_back(connection, jti, until, by=operator(), reason=reason)
                await record(connection, entry)
        except NotRevocable as error:
            end(EXIT_ENVIRONMENT, str(error))
        print_line(f"{jti} is refused until {until:%Y-%m-%d %H:%M} UTC" + ("" if is_new else "; it was already"))
        return 0

    raise typer.Exit(run_connected(database_url, work))


@app.command("list")
def list_tokens(database_url: DatabaseUrl) -> None:
    """List the tokens that are taken back, oldest first."""
    from zerotouch_platform.revoked_tokens import revoked

    async def work(connection: "Connection") -> int:
        for one in await revoked(connection):
            print_line(str(one))
        return 0

    raise typer.Exit(run_connected(database_url, work))
