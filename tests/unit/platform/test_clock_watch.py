"""Two clocks that differ are told once, and once more when they agree."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from structlog.testing import capture_logs

from zerotouch_platform.vapi.clock import VapiClock
from zerotouch_platform.vapi.clock_watch import ClockWatch

OURS = datetime(2026, 11, 28, 12, tzinfo=UTC)


async def our_now() -> datetime:
    return OURS


def telling(skew_seconds: float) -> VapiClock:
    clock = VapiClock(lambda: 0.0)
    at = OURS + timedelta(seconds=skew_seconds)
    clock.heard({"date": format_datetime(at, usegmt=True)}, 0, 0)
    return clock


@pytest.mark.parametrize(("skew", "words"), [(1500, "1500 s ahead of"), (-1500, "1500 s behind"), (7, "ahead of")])
async def test_a_skew_of_more_than_five_seconds_is_an_alarm(skew: float, words: str) -> None:
    watch = ClockWatch(telling(skew), our_now)
    with capture_logs() as logs:
        await watch.run_once()
        await watch.run_once()
    assert [(line["event"], line["alarm"]) for line in logs] == [("vapi_clock_differs", True)]
    assert watch.problem is not None
    assert words in watch.problem


async def test_within_five_seconds_or_untold_nothing_is_said() -> None:
    for clock in (telling(4), telling(-4), VapiClock(time.monotonic)):
        watch = ClockWatch(clock, our_now)
        with capture_logs() as logs:
            await watch.run_once()
        assert (logs, watch.problem) == ([], None)


async def test_that_they_agree_again_is_said_once() -> None:
    clock = telling(60)
    watch = ClockWatch(clock, our_now)
    with capture_logs() as logs:
        await watch.run_once()
        clock.heard({"date": format_datetime(OURS, usegmt=True)}, 0, 0)
        await watch.run_once()
        await watch.run_once()
    assert [line["event"] for line in logs] == ["vapi_clock_differs", "vapi_clock_agrees"]
