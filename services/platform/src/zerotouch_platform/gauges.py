"""Gauges over OTLP: what a look at the database found, exported until the next look.

    look() ──every 15 s──► values ──every 15 s──► the collector

The same from every replica, as all look at the same rows: take the newest, not the sum.
"""

import logging
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from zerotouch_platform.loops import Loop

LOOK_SECONDS: Final = 15.0
EXPORT_SECONDS: Final = 15.0
EXPORT_TIMEOUT_SECONDS: Final = 3

# By their names in both services: one alarm reads either.
RECORDS_LOST: Final = "zerotouch.records.lost"
CLOCK_SKEW: Final = "zerotouch.vapi.clock_skew"


class Gauges:
    """``reader`` exports what was looked up last; ``values`` is that.

    ``look`` answers values by name; a name that it leaves out is not observed. ``units`` has every name there is.
    ``service`` is the name and version of who exports.
    """

    def __init__(
        self,
        service: tuple[str, str],
        reader: MetricReader,
        units: Mapping[str, str],
        look: Callable[[], Awaitable[Mapping[str, float]]],
    ) -> None:
        self.values: Mapping[str, float] = {}
        self._look = look
        name, version = service
        resource = Resource.create({"service.name": name, "service.version": version})
        self._provider = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
        meter = self._provider.get_meter(name, version)
        for gauge, unit in units.items():
            meter.create_observable_gauge(gauge, [self._observe(gauge)], unit=unit)

    def _observe(self, name: str) -> Callable[[CallbackOptions], list[Observation]]:
        def observe(_: CallbackOptions) -> list[Observation]:
            return [Observation(self.values[name])] if name in self.values else []

        return observe

    async def run_once(self) -> None:
        """Look once. Raises what ``look`` raises; then nothing is observed: better a gap than an old value."""
        found: Mapping[str, float] = {}
        try:
            found = await self._look()
        finally:
            self.values = found

    def loop(self, transient: tuple[type[Exception], ...]) -> Loop:
        """Looks every 15 s; where that raises one of ``transient``, the database is away."""
        return Loop(
            self.run_once, LOOK_SECONDS, "metrics: not looked", transient, level=logging.DEBUG, at_end=self._close
        )

    async def _close(self) -> None:
        # The exporter blocks, and the end of a process waits for an executor's threads, not for a daemon's.
        threading.Thread(target=self._provider.shutdown, name="metrics shutdown", daemon=True).start()


def otlp_reader(endpoint: str) -> MetricReader:
    """Exports to an OTLP endpoint (http/protobuf; ``/v1/metrics`` is appended)."""
    # Imported here: it brings requests and protobuf, which a process without metrics need not hold.
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    exporter = OTLPMetricExporter(endpoint=f"{endpoint.rstrip('/')}/v1/metrics", timeout=EXPORT_TIMEOUT_SECONDS)
    return PeriodicExportingMetricReader(exporter, export_interval_millis=EXPORT_SECONDS * 1000)
