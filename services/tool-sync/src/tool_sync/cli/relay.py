"""``tool-sync relay rewind``."""

from typing import Annotated

import typer

from tool_sync.cli.ending import end_connected
from tool_sync.cli.options import BootstrapServers, DatabaseUrl, OutcomesTopic

app = typer.Typer(name="relay", help="Direct the relay, which sends outcomes to Kafka.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Direct the relay, which sends outcomes to Kafka."""


@app.command()
def rewind(
    position: Annotated[int, typer.Option(help="Send again what is above this position; 0 sends everything.", min=0)],
    database_url: DatabaseUrl,
    kafka: BootstrapServers,
    topic: OutcomesTopic = None,
) -> None:
    """Publish history again into an outcomes topic that was lost and created again.

    Exit status 3: the topic already holds a record.
    """
    from tool_sync.db import Connection
    from tool_sync.outcomes.replay import rewind as rewind_relay
    from zerotouch_contracts.topics import OUTCOMES

    name = topic or OUTCOMES.name

    async def work(connection: Connection) -> int:
        before = await rewind_relay(connection, kafka, name, position)
        print(f"the relay will send everything above position {position:,} to {name}; it had reached {before:,}")
        return 0

    end_connected(database_url, work)
