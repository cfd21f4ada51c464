"""``tool-sync replay``: published events again, to a topic of their own."""

from typing import Annotated

import typer

from tool_sync.cli.ending import end_connected
from tool_sync.cli.exits import fail
from tool_sync.cli.options import (
    BootstrapServers,
    DatabaseUrl,
    DryRun,
    OfTopic,
    Org,
    ReasonNeeded,
    Since,
    TopicWord,
    Until,
)


def replay(
    to_topic: Annotated[str, typer.Option(metavar="TOPIC", help="Send to this topic, which exists and is not live.")],
    database_url: DatabaseUrl,
    kafka: BootstrapServers,
    reason: ReasonNeeded,
    org: Org = None,
    since: Since = None,
    until: Until = None,
    type_: Annotated[
        list[str] | None, typer.Option("--type", help="Send only this type, such as ToolsSynced; may be repeated.")
    ] = None,
    of: OfTopic = TopicWord.OUTCOMES,
    from_position: Annotated[int, typer.Option(help="Start at this position.", min=1)] = 1,
    outcomes_topic: Annotated[str | None, typer.Option(envvar="OUTCOMES_TOPIC", hidden=True)] = None,
    fleet_topic: Annotated[str | None, typer.Option(envvar="FLEET_TOPIC", hidden=True)] = None,
    assistants_topic: Annotated[str | None, typer.Option(envvar="ASSISTANTS_TOPIC", hidden=True)] = None,
    dry_run: DryRun = False,
) -> None:
    """Send published events again, with the same ids, sequences and order, and a header that names the position."""
    from tool_sync.cli.replaying import replay_to
    from tool_sync.outcomes.filters import Filter, UnknownType
    from tool_sync.outcomes.published import published_on
    from tool_sync.outcomes.replay import Range

    try:
        wanted = Filter.of(type_ or (), org, published_on(of.value))
    except UnknownType as error:
        fail(error)
    live = frozenset(topic for topic in (outcomes_topic, fleet_topic, assistants_topic) if topic)
    range_ = Range(wanted, from_position - 1, since, until)
    end_connected(database_url, replay_to, kafka, to_topic, range_, live, reason, dry_run=dry_run)
