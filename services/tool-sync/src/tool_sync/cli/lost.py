"""``tool-sync lost``: records that were gone from the topic before they were read."""

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer

from tool_sync.cli.options import EXIT_FOUND, EXIT_USAGE, DatabaseUrl, Json

app = typer.Typer(
    name="lost", help="Show records that Kafka lost before they were read, and acknowledge them.", no_args_is_help=True
)


@app.command("list")
def list_losses(database_url: DatabaseUrl, as_json: Json = False) -> None:
    """List losses that nobody has acknowledged. Exit status 1: there are some."""
    from tool_sync.cli.connected import connected
    from tool_sync.cli.output import print_json
    from tool_sync.db import Connection
    from zerotouch_platform.kafka.ledger import open_losses

    async def work(connection: Connection) -> int:
        found = await open_losses(connection)
        if as_json:
            print_json("lost list", [asdict(loss) for loss in found])
        else:
            for loss in found:
                print(f"{loss.id}  {loss.found_at:%Y-%m-%d %H:%M:%S} UTC  {loss}")
        return EXIT_FOUND if found else 0

    raise typer.Exit(asyncio.run(connected(database_url, work)))


@app.command()
def acknowledge(
    loss: Annotated[int, typer.Argument(metavar="ID", help="The number that `list` shows.", min=1)],
    database_url: DatabaseUrl,
    reason: Annotated[str, typer.Option(help="Say what was done about it.")],
) -> None:
    """Acknowledge a loss once everything that it took is repaired."""
    from tool_sync.cli.connected import connected
    from tool_sync.cli.output import error as say
    from tool_sync.db import Connection
    from zerotouch_platform.kafka import ledger

    async def work(connection: Connection) -> int:
        if await ledger.acknowledge(connection, loss, reason):
            return 0
        say(f"there is no open loss {loss}; `tool-sync lost list` shows them")
        return EXIT_USAGE

    raise typer.Exit(asyncio.run(connected(database_url, work)))
