"""What is measured all the time, as an exporter sees it."""

from typing import Any
from uuid import uuid4

from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from tests.support.eventually import eventually

from tool_sync import db
from tool_sync.app.metrics import metrics
from tool_sync.domain import events
from tool_sync.log import AppendRequest, EventLog, Meta, NewEvent, org_stream, toolset_stream
from zerotouch_platform.gauges import Gauges
from zerotouch_platform.meters import Meters

from .ordering import order_of, say, version

META = Meta("cause", "correlation", None, "test", "1")


def seen_by(reader: InMemoryMetricReader) -> dict[str, float]:
    data: Any = reader.get_metrics_data()
    if data is None:
        return {}
    metrics = data.resource_metrics[0].scope_metrics[0].metrics
    return {metric.name: metric.data.data_points[0].value for metric in metrics if metric.data.data_points}


async def append(log: EventLog, stream: str, org_id: Any, *what: events.Event) -> None:
    await log.append(AppendRequest(stream, org_id, None, tuple(NewEvent(uuid4(), event) for event in what), META))


async def counted(gauges: Gauges, reader: InMemoryMetricReader, coverage: float) -> dict[str, float]:
    """The gauges once they say so: a count that took long is made beside the look that asks for it."""

    async def look() -> dict[str, float] | None:
        await gauges.run_once()
        seen = seen_by(reader)
        return seen if seen["zerotouch.coverage"] == coverage else None

    found: dict[str, float] = await eventually(look)
    return found


async def test_coverage_and_open_work_are_gauges(pool: db.Pool, event_log: EventLog) -> None:
    reader = InMemoryMetricReader()
    gauges = metrics(pool, Meters({"service.name": "tool-sync"}, readers=[reader]))
    assert seen_by(reader) == {}, "nothing is claimed before the first look"
    await gauges.run_once()
    assert seen_by(reader)["zerotouch.coverage"] == 1.0

    org_id, request_id = uuid4(), uuid4()
    save = events.SyncRequested(request_id, "a", "vapi-a", 1, "a" * 64, "save", None)
    tool = version("book")
    await say(event_log, tool, *order_of(tool))
    await append(event_log, org_stream(org_id), org_id, events.OrgRegistered("basic"), save)
    waiting = await counted(gauges, reader, 0.0)
    assert waiting["zerotouch.assistants"] == 1
    assert waiting["zerotouch.syncs.pending"] == 1
    assert waiting["zerotouch.syncs.oldest"] > 0
    assert waiting["zerotouch.relay.lag"] == waiting["zerotouch.log.head"] >= 2
    assert waiting["zerotouch.relay.fleet_lag"] == waiting["zerotouch.log.head"]  # told from position 0
    assert waiting["zerotouch.assistants.without_tools"] == 0

    through = int(waiting["zerotouch.log.head"])
    registered = events.ToolRegistered(uuid4(), "platform", "book", "tool-1", 1, "a" * 64, "a" * 64, adopted=False)
    ref = events.ToolRef("book", "tool-1", 1, "a" * 64)
    synced = events.AssistantSynced(
        "a", "vapi-a", 1, "platform", (ref,), (events.Settled(request_id, None),), through, None, 1
    )
    await append(event_log, toolset_stream(org_id), org_id, registered, synced)
    done = await counted(gauges, reader, 1.0)
    assert (done["zerotouch.syncs.pending"], done["zerotouch.syncs.oldest"]) == (0, 0)
