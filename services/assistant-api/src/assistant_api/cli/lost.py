"""`assistant-api lost`: outcomes that were gone from the topic before they were read."""

from typing import TYPE_CHECKING, Annotated

import typer

from assistant_api.cli.connected import run_connected
from assistant_api.cli.exits import EXIT_ENVIRONMENT, EXIT_FOUND, end
from assistant_api.cli.options import DatabaseUrl, Reason, operator_of
from zerotouch_platform.lines import print_line

if TYPE_CHECKING:
    from zerotouch_platform.postgres.pool import Connection

app = typer.Typer(
    help="Show outcomes that Kafka lost before they were read, and acknowledge them.", no_args_is_help=True
)


@app.command("list")
def list_losses(database_url: DatabaseUrl) -> None:
    """List losses that nobody has acknowledged. Exit status 1: there are some."""
    from zerotouch_platform.kafka import ledger

    async def work(connection: "Connection") -> int:
        found = await ledger.open_losses(connection)
        for loss in found:
            print_line(f"{loss.id}  {loss.found_at:%Y-%m-%d %H:%M:%S} UTC  {loss}")
        return EXIT_FOUND if found else 0

    raise typer.Exit(run_connected(database_url, work))


@app.command()
def acknowledge(
    loss: Annotated[int, typer.Argument(metavar="ID", help="The number that `list` shows.", min=1)],
    database_url: DatabaseUrl,
    reason: Reason,
) -> None:
    """Acknowledge a loss once everything that it took is repaired."""
    from assistant_api.access_log.entry import Action, Entry
    from assistant_api.access_log.record import record
    from zerotouch_platform.kafka import ledger

    entry = Entry(operator_of(reason), Action.LOST_RECORDS_ACKNOWLEDGE, None, str(loss))

    async def work(connection: "Connection") -> int:
        async with connection.transaction():
            await record(connection, entry)
            if not await ledger.acknowledge(connection, loss, reason):
                end(EXIT_ENVIRONMENT, f"there is no open loss {loss}")
        return 0

    raise typer.Exit(run_connected(database_url, work))
