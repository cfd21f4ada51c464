"""``tool-sync replay``: published events again, to a topic of their own."""

import asyncio
import sys
from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer

from tool_sync.cli.options import EXIT_USAGE, BootstrapServers, DatabaseUrl, utc

TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z"]


def replay(
    to_topic: Annotated[str, typer.Option(metavar="TOPIC", help="An existing topic that is not live.")],
    database_url: DatabaseUrl,
    kafka: BootstrapServers,
    org: Annotated[UUID | None, typer.Option(help="Only this organization's.")] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=TIMES, help="From this time on; UTC without a zone.")
    ] = None,
    until: Annotated[datetime | None, typer.Option(formats=TIMES, help="Before this time.")] = None,
    type_: Annotated[list[str] | None, typer.Option("--type", help="ToolsSynced, …; may be repeated.")] = None,
    from_position: Annotated[int, typer.Option(help="From this position on.", min=1)] = 1,
    outcomes_topic: Annotated[str | None, typer.Option(envvar="OUTCOMES_TOPIC", hidden=True)] = None,
    assistants_topic: Annotated[str | None, typer.Option(envvar="ASSISTANTS_TOPIC", hidden=True)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count only, send nothing.")] = False,
) -> None:
    """Send published events again with their ids, sequences and order, and with a header that names the position."""
    from tool_sync.cli.replaying import replay_to
    from tool_sync.outcomes.filters import Filter, UnknownType
    from tool_sync.outcomes.replay import Range

    try:
        wanted = Filter.of(type_ or (), org)
    except UnknownType as error:
        print(f"tool-sync: {error}", file=sys.stderr)
        raise typer.Exit(EXIT_USAGE) from None
    live = frozenset(topic for topic in (outcomes_topic, assistants_topic) if topic)
    range_ = Range(wanted, from_position - 1, utc(since), utc(until))
    raise typer.Exit(asyncio.run(replay_to(database_url, kafka, to_topic, range_, live, dry_run=dry_run)))
