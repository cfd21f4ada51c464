"""``tool-sync lost``: records that were gone from the topic before they were read."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from tool_sync.cli.ending import end_connected
from tool_sync.cli.exits import EXIT_FOUND
from tool_sync.cli.options import DatabaseUrl, Json, ReasonNeeded
from tool_sync.cli.output import print_json, print_line

if TYPE_CHECKING:
    from tool_sync.db import Connection

app = typer.Typer(
    name="lost", help="Show records that Kafka lost before they were read, and acknowledge them.", no_args_is_help=True
)


@app.command("list")
def list_losses(database_url: DatabaseUrl, as_json: Json = False) -> None:
    """List losses that nobody has acknowledged. Exit status 1: there are some."""
    from zerotouch_platform.kafka.ledger import open_losses

    async def work(connection: "Connection") -> int:
        found = await open_losses(connection)
        if as_json:
            print_json("lost list", [asdict(loss) for loss in found])
        else:
            for loss in found:
                print_line(f"{loss.id}  {loss.found_at:%Y-%m-%d %H:%M:%S} UTC  {loss}")
        return EXIT_FOUND if found else 0

    end_connected(database_url, work)


@app.command()
def acknowledge(
    loss: Annotated[int, typer.Argument(metavar="ID", help="The number that `list` shows.", min=1)],
    database_url: DatabaseUrl,
    reason: ReasonNeeded,
) -> None:
    """Acknowledge a loss once everything that it took is repaired."""
    from tool_sync.admin import lost_records
    from tool_sync.cli.exits import NotFound

    async def work(connection: "Connection") -> None:
        if not await lost_records.acknowledge(connection, loss, reason):
            raise NotFound(f"there is no open loss {loss}; `tool-sync lost list` shows them")

    end_connected(database_url, work)
