"""``tool-sync relay rewind``."""

from typing import Annotated

import typer

from tool_sync.cli.ending import end_connected
from tool_sync.cli.options import (
    BootstrapServers,
    DatabaseUrl,
    FleetTopic,
    OfTopic,
    OutcomesTopic,
    ReasonNeeded,
    TopicWord,
)
from tool_sync.cli.output import print_line

app = typer.Typer(name="relay", help="Direct the relays, which send the log to Kafka.", no_args_is_help=True)


@app.command()
def rewind(
    position: Annotated[int, typer.Option(help="Send again what is above this position; 0 sends everything.", min=0)],
    database_url: DatabaseUrl,
    kafka: BootstrapServers,
    reason: ReasonNeeded,
    of: OfTopic = TopicWord.OUTCOMES,
    topic: OutcomesTopic = None,
    fleet_topic: FleetTopic = None,
) -> None:
    """Publish history again into a topic that was lost and created again.

    Exit status 3: the topic already holds a record.
    """
    from tool_sync.admin.actions import OperatorAction, note_action
    from tool_sync.db import Connection
    from tool_sync.outcomes.published import published_on
    from tool_sync.outcomes.replay import rewind as rewind_relay

    published = published_on(of.value)
    name = (fleet_topic if of is TopicWord.FLEET else topic) or published.topic.name

    async def work(connection: Connection) -> None:
        async with connection.transaction():
            before = await rewind_relay(connection, kafka, name, position, published)
            await note_action(connection, OperatorAction.RELAY_REWIND, f"{name} {position}", reason)
        print_line(f"the relay will send everything above position {position:,} to {name}; it had reached {before:,}")

    end_connected(database_url, work)
