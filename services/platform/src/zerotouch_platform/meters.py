"""What one process measures: counters, histograms and gauges, over OTLP where there is an endpoint, and always as the
page ``/metrics`` in Prometheus' text form.

    instruments ─► MeterProvider ─┬─ every 15 s ─► the collector
                                  └─ when asked ─► GET /metrics

Counters and histograms are of this process: add them up. Gauges say what the database holds, the same from every
replica: take the greatest.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

EXPORT_SECONDS: Final = 15.0
EXPORT_TIMEOUT_SECONDS: Final = 3


class Measure(NamedTuple):
    """A metric: its unit as in UCUM, and what it is, for people. docs/telemetry.md lists all of them."""

    unit: str
    what: str


class Meters:
    """``resource`` names the service and the process. ``readers`` are others that read along, as tests do."""

    def __init__(
        self, resource: Mapping[str, str], endpoint: str | None = None, readers: Sequence[MetricReader] = ()
    ) -> None:
        self._registry = CollectorRegistry()
        page = PrometheusMetricReader(disable_target_info=True, scope_info_enabled=False, registry=self._registry)
        exported = () if endpoint is None else (otlp_reader(endpoint),)
        self._provider = MeterProvider(
            [page, *readers, *exported], resource=Resource.create(dict(resource)), shutdown_on_exit=False
        )
        self._meter = self._provider.get_meter(resource["service.name"])

    def counter(self, name: str, measure: Measure) -> Counter:
        """Something that is counted when it happens."""
        return self._meter.create_counter(name, measure.unit, measure.what)

    def histogram(self, name: str, measure: Measure, bounds: Sequence[float]) -> Histogram:
        """Durations, counted by these upper bounds."""
        return self._meter.create_histogram(
            name, measure.unit, measure.what, explicit_bucket_boundaries_advisory=bounds
        )

    def gauges(self, measures: Mapping[str, Measure], values: Callable[[], Mapping[str, float]]) -> None:
        """What ``values`` says at the time of a reading; a name that it leaves out is not observed."""
        for name, measure in measures.items():
            self._meter.create_observable_gauge(name, [partial(_observe, name, values)], measure.unit, measure.what)

    def counted(
        self, name: str, measure: Measure, counts: Callable[[], Iterable[tuple[float, Mapping[str, str]]]]
    ) -> None:
        """What was counted elsewhere in this process, with its attributes."""

        def observe(_: CallbackOptions) -> list[Observation]:
            return [Observation(count, attributes) for count, attributes in counts()]

        self._meter.create_observable_counter(name, [observe], measure.unit, measure.what)

    def page(self) -> str:
        """Everything as of now, in Prometheus' text form."""
        return generate_latest(self._registry).decode()

    def close(self) -> None:
        """Export what is left, on a thread of its own: the exporter blocks, and the end of a process waits for an
        executor's threads, not for a daemon's."""
        threading.Thread(target=self._provider.shutdown, name="metrics shutdown", daemon=True).start()


def _observe(name: str, values: Callable[[], Mapping[str, float]], _: CallbackOptions) -> list[Observation]:
    value = values().get(name)
    return [] if value is None else [Observation(value)]


def otlp_reader(endpoint: str) -> MetricReader:
    """Exports to an OTLP endpoint (http/protobuf; ``/v1/metrics`` is appended)."""
    # Imported here: it brings requests and protobuf, which a process that exports nothing need not hold.
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    from zerotouch_platform.otlp_session import OtlpSession

    url = f"{endpoint.rstrip('/')}/v1/metrics"
    exporter = OTLPMetricExporter(endpoint=url, timeout=EXPORT_TIMEOUT_SECONDS, session=OtlpSession())
    return PeriodicExportingMetricReader(exporter, export_interval_millis=EXPORT_SECONDS * 1000)


class _Families(Collector):
    def __init__(self, found: Mapping[str, Metric]) -> None:
        self._found = found

    def collect(self) -> Iterable[Metric]:
        return self._found.values()


def merged(pages: Mapping[str, str]) -> str:
    """The pages of several workers as one, by their names: each sample says by the label ``worker`` whose it is."""
    found: dict[str, Metric] = {}
    for worker, page in pages.items():
        for family in text_string_to_metric_families(page):
            into = found.setdefault(family.name, Metric(family.name, family.documentation, family.type, family.unit))
            into.samples += [sample._replace(labels={**sample.labels, "worker": worker}) for sample in family.samples]
    registry = CollectorRegistry()
    registry.register(_Families(found))
    return generate_latest(registry).decode()
