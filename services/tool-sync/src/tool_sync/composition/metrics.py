"""What is measured all the time: read from the database every few seconds, exported over OTLP beside the traces.

Gauges, the same from every replica: take the newest, not the sum.

    zerotouch.coverage             1      assistants that can book, of those that should (the promise is 1.0)
    zerotouch.assistants           {assistant}  that should book, by what is wanted now
    zerotouch.assistants.without_tools  {assistant}  whose clinics want none: in neither number of coverage
    zerotouch.syncs.pending        {org}  organizations with open work
    zerotouch.syncs.oldest         s      age of the oldest save without an outcome
    zerotouch.dead_letters.open    {record}
    zerotouch.records.lost         {record}  gone from the topic before they were read, and not acknowledged
    zerotouch.log.head             {event}
    zerotouch.relay.lag            {event}  positions between the log's head and what is published
    zerotouch.vapi.clock_skew      s      how far Vapi's clock is ahead of the database's; not before an answer told
"""

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Final

import structlog
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from tool_sync import db
from tool_sync.coverage import coverage_of
from tool_sync.db import ACQUIRE_SECONDS, Pool
from tool_sync.telemetry import SERVICE_NAME, SERVICE_VERSION
from zerotouch_platform.vapi.clock_watch import ClockWatch

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 15.0
EXPORT_SECONDS: Final = 15.0

_LOOK: Final = """
SELECT (SELECT count(DISTINCT org_id) FROM pending_syncs WHERE requested > settled) AS pending,
       (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(e.recorded_at)), 0)::float8
          FROM pending_syncs p JOIN events e ON e.position = p.save_requested
         WHERE p.save_requested > p.settled) AS oldest,
       (SELECT count(*) FROM dead_letters WHERE acknowledged_at IS NULL AND replayed_at IS NULL) AS dead_letters,
       (SELECT coalesce(sum(greatest(end_offset - first_offset, 1)), 0)::bigint
          FROM lost_records WHERE acknowledged_at IS NULL) AS lost,
       (SELECT coalesce(max(position), 0) FROM events) AS head,
       (SELECT coalesce(max(position), 0) FROM cursors WHERE name = 'outcomes-relay') AS published
"""
_UNITS: Final = {
    "zerotouch.coverage": "1",
    "zerotouch.assistants": "{assistant}",
    "zerotouch.assistants.without_tools": "{assistant}",
    "zerotouch.syncs.pending": "{org}",
    "zerotouch.syncs.oldest": "s",
    "zerotouch.dead_letters.open": "{record}",
    "zerotouch.records.lost": "{record}",
    "zerotouch.log.head": "{event}",
    "zerotouch.relay.lag": "{event}",
    "zerotouch.vapi.clock_skew": "s",
}


class Metrics:
    """A loop. ``reader`` exports what was looked up last; ``values`` is that."""

    def __init__(self, pool: Pool, reader: MetricReader, clock_watch: ClockWatch | None = None) -> None:
        self.values: Mapping[str, float] = {}
        self._pool, self._clock_watch = pool, clock_watch
        self._stopping = asyncio.Event()
        resource = Resource.create({"service.name": SERVICE_NAME, "service.version": SERVICE_VERSION})
        self._provider = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
        meter = self._provider.get_meter("tool_sync", SERVICE_VERSION)
        for name, unit in _UNITS.items():
            meter.create_observable_gauge(name, [self._observe(name)], unit=unit)

    def _observe(self, name: str) -> Callable[[CallbackOptions], list[Observation]]:
        def observe(_: CallbackOptions) -> list[Observation]:
            return [Observation(self.values[name])] if name in self.values else []

        return observe

    async def run_once(self) -> None:
        """Look once. Raises what the database raises."""
        async with self._pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            row = await connection.fetchrow(_LOOK)
            coverage = await coverage_of(connection)
        assert row is not None
        self.values = {
            "zerotouch.coverage": coverage.percent / 100,
            "zerotouch.assistants": coverage.assistants,
            "zerotouch.assistants.without_tools": coverage.without_tools,
            "zerotouch.syncs.pending": row["pending"],
            "zerotouch.syncs.oldest": row["oldest"],
            "zerotouch.dead_letters.open": row["dead_letters"],
            "zerotouch.records.lost": row["lost"],
            "zerotouch.log.head": row["head"],
            "zerotouch.relay.lag": row["head"] - row["published"],
        }
        skew_seconds = None if self._clock_watch is None else self._clock_watch.skew_seconds
        if skew_seconds is not None:
            self.values = {**self.values, "zerotouch.vapi.clock_skew": skew_seconds}

    async def run_forever(self) -> None:
        """Look until :meth:`stop`. While the database is away nothing is observed: better a gap than an old value."""
        try:
            while not self._stopping.is_set():
                try:
                    await self.run_once()
                except db.WEATHER as error:
                    self.values = {}
                    log.debug("metrics: not looked", reason=type(error).__name__)
                await self._pause(LOOK_SECONDS)
        finally:
            # The exporter blocks, and the end of a process waits for an executor's threads, not for a daemon's.
            threading.Thread(target=self._provider.shutdown, name="metrics shutdown", daemon=True).start()

    def stop(self) -> None:
        """End :meth:`run_forever`."""
        self._stopping.set()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return


def otlp_reader(endpoint: str) -> MetricReader:
    """Exports to an OTLP endpoint (http/protobuf; ``/v1/metrics`` is appended)."""
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    exporter = OTLPMetricExporter(endpoint=f"{endpoint.rstrip('/')}/v1/metrics", timeout=3)
    return PeriodicExportingMetricReader(exporter, export_interval_millis=EXPORT_SECONDS * 1000)
