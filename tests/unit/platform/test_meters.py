"""What a process measures, as Prometheus reads it and as a collector gets it."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client.parser import text_string_to_metric_families

from zerotouch_platform.gauges import FRESH_SECONDS, Gauges
from zerotouch_platform.meters import Measure, Meters, merged

SERVICE = {"service.name": "tool-sync", "service.instance.id": "host"}
WAITING = Measure("s", "age of the oldest")


def samples(page: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample of a page, by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def counting(meters: Meters, result: str, times: int) -> None:
    counter = meters.counter("zerotouch.requests", Measure("{request}", "requests, by `result`"))
    counter.add(times, {"result": result})


def test_the_page_and_the_collector_have_the_same() -> None:
    reader = InMemoryMetricReader()
    meters = Meters(SERVICE, readers=[reader])
    counting(meters, "done", 2)
    meters.histogram("zerotouch.took", Measure("s", "how long"), (0.1, 1.0)).record(0.5, {"route": "/tool"})
    data: Any = reader.get_metrics_data()
    (resource,) = data.resource_metrics
    assert dict(resource.resource.attributes)["service.instance.id"] == "host"
    exported = {metric.name: metric.unit for metric in resource.scope_metrics[0].metrics}
    assert exported == {"zerotouch.requests": "{request}", "zerotouch.took": "s"}
    found = samples(meters.page())
    assert found["zerotouch_requests_total", (("result", "done"),)] == 2
    assert found["zerotouch_took_seconds_bucket", (("le", "0.1"), ("route", "/tool"))] == 0
    assert found["zerotouch_took_seconds_bucket", (("le", "1.0"), ("route", "/tool"))] == 1
    assert found["zerotouch_took_seconds_count", (("route", "/tool"),)] == 1
    meters.close()


def test_pages_of_workers_are_one_page_that_says_whose_each_figure_is() -> None:
    pages = {}
    for worker, times in (("1", 3), ("2", 4)):
        meters = Meters(SERVICE)
        counting(meters, 'a "quoted"\\\n', times)
        if worker == "1":
            meters.gauges({"zerotouch.oldest": WAITING}, lambda: {"zerotouch.oldest": 1.5})
        pages[worker] = meters.page()
    page = merged(pages)
    assert page.count("# TYPE zerotouch_requests_total counter") == 1
    label = ("result", 'a "quoted"\\\n')
    assert samples(page) == {
        ("zerotouch_requests_total", (label, ("worker", "1"))): 3,
        ("zerotouch_requests_total", (label, ("worker", "2"))): 4,
        ("zerotouch_oldest_seconds", (("worker", "1"),)): 1.5,
    }


async def test_a_gauge_says_what_was_found_last_and_nothing_where_nobody_could_look() -> None:
    now, answers = [100.0], [1.0, 2.0]

    async def look() -> Mapping[str, float]:
        if not answers:
            raise ConnectionError
        return {"zerotouch.oldest": answers.pop(0)}

    meters = Meters(SERVICE)
    gauges = Gauges(meters, {"zerotouch.oldest": WAITING}, look, (ConnectionError,), clock=lambda: now[0])
    assert samples(meters.page()) == {}, "nothing is claimed before the first look"
    for seconds, expected in ((0.0, 1.0), (FRESH_SECONDS - 0.1, 1.0), (0.1, 2.0), (FRESH_SECONDS, None)):
        now[0] += seconds
        await gauges.refresh(1.0)
        assert samples(meters.page()).get(("zerotouch_oldest_seconds", ())) == expected


async def test_a_database_that_hangs_does_not_hold_up_the_page() -> None:
    async def look() -> Mapping[str, float]:
        await asyncio.sleep(60)
        raise AssertionError

    meters = Meters(SERVICE)
    gauges = Gauges(meters, {"zerotouch.oldest": WAITING}, look)
    async with asyncio.timeout(5):
        await asyncio.gather(gauges.refresh(0.1), gauges.refresh(0.1))
    assert samples(meters.page()) == {}


async def test_a_fault_of_ours_is_raised() -> None:
    async def look() -> Mapping[str, float]:
        raise LookupError

    with pytest.raises(LookupError):
        await Gauges(Meters(SERVICE), {}, look).refresh(1.0)
