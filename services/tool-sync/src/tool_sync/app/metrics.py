"""What is measured all the time: read from the database every few seconds, exported over OTLP beside the traces.

What each figure means is in docs/telemetry.md.
"""

from collections.abc import Mapping
from typing import Final

from opentelemetry.sdk.metrics.export import MetricReader

from tool_sync.db import Pool
from tool_sync.queries.coverage_count import CoverageCount
from tool_sync.queries.waiting import backlog
from tool_sync.sync.object_looks import oldest_look
from tool_sync.telemetry import SERVICE_NAME, SERVICE_VERSION
from zerotouch_platform.gauges import CLOCK_SKEW, RECORDS_LOST, Gauges
from zerotouch_platform.kafka.ledger import records_lost
from zerotouch_platform.postgres.pool import ACQUIRE_SECONDS
from zerotouch_platform.vapi.clock_watch import ClockWatch

_UNITS: Final = {
    "zerotouch.coverage": "1",
    "zerotouch.assistants": "{assistant}",
    "zerotouch.assistants.without_tools": "{assistant}",
    "zerotouch.syncs.pending": "{org}",
    "zerotouch.syncs.oldest": "s",
    "zerotouch.looks.oldest": "s",
    "zerotouch.dead_letters.open": "{record}",
    RECORDS_LOST: "{record}",
    "zerotouch.log.head": "{event}",
    "zerotouch.relay.lag": "{event}",
    CLOCK_SKEW: "s",
}


def metrics(pool: Pool, reader: MetricReader, clock_watch: ClockWatch | None = None) -> Gauges:
    """What looks and exports."""
    count = CoverageCount()

    async def look() -> Mapping[str, float]:
        async with pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            behind = await backlog(connection)
            coverage, lost = await count.at(connection, behind.head), await records_lost(connection)
            oldest = await oldest_look(connection)
        skew_seconds = None if clock_watch is None else clock_watch.skew_seconds
        return {
            "zerotouch.coverage": coverage.percent / 100,
            "zerotouch.assistants": coverage.assistants,
            "zerotouch.assistants.without_tools": coverage.without_tools,
            "zerotouch.syncs.pending": behind.pending,
            "zerotouch.syncs.oldest": behind.oldest_seconds,
            "zerotouch.looks.oldest": 0.0 if oldest is None else oldest.age_seconds,
            "zerotouch.dead_letters.open": behind.dead_letters,
            RECORDS_LOST: lost,
            "zerotouch.log.head": behind.head,
            "zerotouch.relay.lag": behind.head - behind.published,
            **({} if skew_seconds is None else {CLOCK_SKEW: skew_seconds}),
        }

    return Gauges((SERVICE_NAME, SERVICE_VERSION), reader, _UNITS, look)
