"""``tool-sync lost``: records that were gone from the topic before they were read."""

import asyncio
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from tool_sync.cli.options import EXIT_FOUND, DatabaseUrl

app = typer.Typer(help="Records that were gone from the topic before they were read.", no_args_is_help=True)


@app.command("list")
def list_losses(
    database_url: DatabaseUrl, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """List what was lost and nobody has acknowledged; exit status 1 if anything was."""
    from pydantic_core import to_json

    from tool_sync.cli.connected import connected
    from tool_sync.db import Connection
    from zerotouch_platform.kafka.ledger import open_losses

    async def work(connection: Connection) -> int:
        found = await open_losses(connection)
        if as_json:
            print(to_json([asdict(loss) for loss in found], indent=2).decode())
        else:
            for loss in found:
                print(f"{loss.id}  {loss.found_at:%Y-%m-%d %H:%M:%S} UTC  {loss}")
        return EXIT_FOUND if found else 0

    raise typer.Exit(asyncio.run(connected(database_url, work)))


@app.command()
def acknowledge(
    loss: Annotated[int, typer.Argument(metavar="ID", help="Its number in the list.", min=1)],
    database_url: DatabaseUrl,
    reason: Annotated[str, typer.Option(help="What was done about it.")],
) -> None:
    """Close a loss: what it made missing was mended."""
    from tool_sync.cli.connected import connected
    from tool_sync.db import Connection
    from zerotouch_platform.kafka import ledger

    async def work(connection: Connection) -> int:
        if await ledger.acknowledge(connection, loss, reason):
            return 0
        print(f"tool-sync: there is no open loss {loss}", file=sys.stderr)
        return EXIT_FOUND

    raise typer.Exit(asyncio.run(connected(database_url, work)))
