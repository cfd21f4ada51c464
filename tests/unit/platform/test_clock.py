"""Vapi's time by the Date of its answers: which to believe, and what a moment of ours is in it."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from zerotouch_platform.vapi.clock import UNKNOWN_SKEW, VapiClock

T0 = datetime(2026, 11, 28, 12, tzinfo=UTC)
MARGIN = timedelta(minutes=10)


class Monotonic:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def monotonic() -> Monotonic:
    return Monotonic()


@pytest.fixture
def clock(monotonic: Monotonic) -> VapiClock:
    return VapiClock(monotonic)


def date(at: datetime) -> dict[str, str]:
    return {"date": format_datetime(at.replace(microsecond=0), usegmt=True)}


def told(clock: VapiClock, monotonic: Monotonic, vapi: datetime, *, took_seconds: float = 0.0) -> None:
    """An answer whose Date Vapi wrote half-way."""
    monotonic.seconds += took_seconds
    clock.heard(date(vapi), monotonic.seconds - took_seconds, monotonic.seconds)


def seconds_off(clock: VapiClock, expected: datetime) -> float:
    now = clock.now()
    assert now is not None
    return abs((now - expected).total_seconds())


@pytest.mark.parametrize("skew", [timedelta(minutes=25), timedelta(minutes=-25), timedelta(hours=23)])
def test_a_moment_of_ours_is_found_in_vapis_time_by_its_age(
    clock: VapiClock, monotonic: Monotonic, skew: timedelta
) -> None:
    told(clock, monotonic, T0 + skew)
    monotonic.seconds += 30
    assert seconds_off(clock, T0 + skew + timedelta(seconds=30)) <= 0.5
    low, high = clock.around(30, timedelta())
    assert abs((low - (T0 + skew)).total_seconds()) <= 0.5
    assert high is None
    low, high = clock.around(30, MARGIN, after_seconds=20)
    assert high is not None
    assert high - low == 2 * MARGIN + timedelta(seconds=20)


def test_an_answer_that_took_long_does_not_replace_a_better_one_and_an_old_one_is_replaced(
    clock: VapiClock, monotonic: Monotonic
) -> None:
    told(clock, monotonic, T0)
    told(clock, monotonic, T0 + timedelta(seconds=1), took_seconds=8)  # right within 4.5 s
    assert seconds_off(clock, T0 + timedelta(seconds=8)) <= 0.5
    monotonic.seconds += 120
    told(clock, monotonic, T0 + timedelta(seconds=132), took_seconds=1)
    assert seconds_off(clock, T0 + timedelta(seconds=132.5)) <= 0.5


def test_when_a_clock_is_set_both_times_of_a_moment_are_looked_at_for_an_hour(
    clock: VapiClock, monotonic: Monotonic
) -> None:
    told(clock, monotonic, T0 - timedelta(minutes=25))
    told(clock, monotonic, T0)
    low, high = clock.around(0, timedelta(), after_seconds=0)
    assert high is not None
    assert high - low == timedelta(minutes=25)
    told(clock, monotonic, T0 - timedelta(minutes=50))
    low, high = clock.around(0, timedelta(), after_seconds=0)
    assert high is not None
    assert high - low == timedelta(minutes=50)
    monotonic.seconds += 3601
    low, high = clock.around(0, timedelta(), after_seconds=0)
    assert low == high


@pytest.mark.parametrize(
    "headers",
    [{}, {"date": ""}, {"date": "soon"}, {"date": "Mon, 99 Foo 2026 99:99:99 GMT"}, {**date(T0), "age": "240"}],
    ids=["none", "empty", "words", "no time", "out of a cache"],
)
def test_what_does_not_tell_the_time_is_passed_over_and_the_window_is_wide(
    clock: VapiClock, monotonic: Monotonic, headers: dict[str, str]
) -> None:
    clock.heard(headers, 0, 0)
    assert clock.now() is None
    assert clock.age_of(T0) is None
    low, _ = clock.around(60, MARGIN)
    assert datetime.now(UTC) - low >= UNKNOWN_SKEW + MARGIN
    told(clock, monotonic, T0)
    clock.heard(headers, monotonic.seconds, monotonic.seconds)
    assert seconds_off(clock, T0) <= 0.5


def test_a_date_without_a_zone_is_utc(clock: VapiClock, monotonic: Monotonic) -> None:
    clock.heard({"date": "Sat, 28 Nov 2026 12:00:00 -0000"}, monotonic.seconds, monotonic.seconds)
    assert seconds_off(clock, T0) <= 0.5


def test_the_age_of_an_object_is_by_vapis_own_clock(clock: VapiClock, monotonic: Monotonic) -> None:
    told(clock, monotonic, T0)
    age = clock.age_of(T0 - timedelta(minutes=5))
    assert age is not None
    assert abs(age.total_seconds() - 300) <= 0.5
