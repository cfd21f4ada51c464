"""``tool-sync relay rewind``."""

import asyncio
from typing import Annotated

import typer

from tool_sync.cli.options import BootstrapServers, DatabaseUrl

app = typer.Typer(help="The relay, which sends outcomes to Kafka.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The relay, which sends outcomes to Kafka."""


@app.command()
def rewind(
    position: Annotated[int, typer.Option(help="Send again what is above this position; 0 sends everything.", min=0)],
    database_url: DatabaseUrl,
    kafka: BootstrapServers,
    topic: Annotated[
        str | None, typer.Option(envvar="OUTCOMES_TOPIC", help="Where outcomes go; by default the contract's.")
    ] = None,
) -> None:
    """Fill an outcomes topic that was lost and made anew; refused where it holds any record."""
    from tool_sync.cli.connected import connected
    from tool_sync.db import Connection
    from tool_sync.outcomes.replay import rewind as rewind_relay
    from zerotouch_contracts.topics import OUTCOMES

    name = topic or OUTCOMES.name

    async def work(connection: Connection) -> int:
        before = await rewind_relay(connection, kafka, name, position)
        print(f"the relay sends what is above position {position:,} to {name}; it was at {before:,}")
        return 0

    raise typer.Exit(asyncio.run(connected(database_url, work)))
