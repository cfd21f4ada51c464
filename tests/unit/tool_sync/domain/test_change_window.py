"""When a change window is open, by every clock that there is."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest

from tool_sync.domain.change_window import (
    ChangeWindow,
    local_time,
    parse_window,
    period,
    state_of_window,
    zone_of,
)

NIGHT = ChangeWindow("22:00", "06:00")
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(at: datetime, zone: str) -> str:
    return f"{at.astimezone(ZoneInfo(zone)):%d %H:%M}"


@pytest.mark.parametrize("text", ["22:00-06:00", "00:00-01:00", "23:30-00:30", "06:00-05:59"])
def test_two_times_of_day_are_a_window(text: str) -> None:
    window = parse_window(text)
    assert isinstance(window, ChangeWindow)
    assert str(window) == text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("22:00", "two times of day"),
        ("22-06", "two times of day"),
        ("24:00-06:00", "two times of day"),
        ("22:00 - 06:00", "two times of day"),
        ("22:00-06:00\n", "two times of day"),
        ("２２:00-06:00", "two times of day"),
        ("22:60-06:00", "two times of day"),
        ("Mon 22:00-06:00", "two times of day"),
        ("", "two times of day"),
        ("22:00-22:00", "different times"),
        ("22:00-22:59", "59 minutes is too short"),
        ("23:59-00:01", "2 minutes is too short"),
    ],
)
def test_anything_else_is_named(text: str, problem: str) -> None:
    found = parse_window(text)
    assert isinstance(found, str)
    assert problem in found


def test_it_is_open_from_its_first_moment_and_no_longer_at_its_last() -> None:
    opens, closes = utc("2026-12-01 21:00"), utc("2026-12-02 05:00")
    second = timedelta(seconds=1)
    assert period(NIGHT, "Europe/Berlin", date(2026, 12, 1)) == (opens, closes)
    for at, is_open in ((opens - second, False), (opens, True), (closes - second, True), (closes, False)):
        assert (state_of_window(NIGHT, "Europe/Berlin", at).closes_at is not None) == is_open
    assert state_of_window(NIGHT, "Europe/Berlin", opens - second).opens_at == opens
    assert state_of_window(NIGHT, "Europe/Berlin", opens).opens_at == opens + DAY


@pytest.mark.parametrize(
    ("zone", "window", "day", "opens", "closes"),
    [
        # Put forward at 02:00: that hour does not exist.
        ("Europe/Berlin", "02:30-06:00", date(2026, 3, 29), "29 03:00", "29 06:00"),
        ("Europe/Berlin", "02:00-03:00", date(2026, 3, 29), "29 03:00", "29 04:00"),
        ("Europe/Berlin", "22:00-02:30", date(2026, 3, 28), "28 22:00", "29 03:00"),
        # Put back at 03:00: 02:00 to 03:00 comes twice, and the window once.
        ("Europe/Berlin", "02:30-06:00", date(2026, 10, 25), "25 02:30", "25 06:00"),
        ("Europe/Berlin", "01:30-02:30", date(2026, 10, 25), "25 01:30", "25 02:30"),
        # The day has no midnight.
        ("America/Sao_Paulo", "00:00-01:00", date(2018, 11, 4), "04 01:00", "04 02:00"),
        ("America/Sao_Paulo", "22:00-00:30", date(2018, 11, 3), "03 22:00", "04 01:00"),
        # 23:00 to midnight comes twice.
        ("America/Sao_Paulo", "23:30-01:00", date(2018, 2, 17), "17 23:30", "18 01:00"),
        ("Africa/Cairo", "00:30-02:00", date(2025, 4, 25), "25 01:00", "25 02:00"),
        ("Australia/Sydney", "02:30-06:30", date(2019, 10, 6), "06 03:00", "06 06:30"),
        # Half an hour.
        ("Australia/Lord_Howe", "02:15-04:00", date(2025, 10, 5), "05 02:30", "05 04:00"),
        ("Australia/Lord_Howe", "01:45-03:00", date(2025, 4, 6), "06 01:45", "06 03:00"),
        # A day that was left out, and the night before it.
        ("Pacific/Apia", "22:00-06:00", date(2011, 12, 29), "29 22:00", "31 00:00"),
        ("Pacific/Apia", "22:00-06:00", date(2011, 12, 30), "31 00:00", "31 06:00"),
        ("Asia/Kathmandu", "22:00-06:00", date(2026, 5, 1), "01 22:00", "02 06:00"),
        # Out of summer time for Ramadan, and back.
        ("Africa/Casablanca", "02:30-03:30", date(2025, 2, 23), "23 02:30", "23 03:30"),
        ("Africa/Casablanca", "02:30-05:00", date(2025, 4, 6), "06 03:00", "06 05:00"),
    ],
)
def test_a_time_that_does_not_exist_or_exists_twice(zone: str, window: str, day: date, opens: str, closes: str) -> None:
    known = parse_window(window)
    assert isinstance(known, ChangeWindow)
    found = period(known, zone, day)
    assert tuple(local(at, zone) for at in found) == (opens, closes)
    assert found[1] - found[0] >= HOUR


def test_a_time_that_comes_twice_opens_the_window_at_its_first() -> None:
    opens, closes = period(ChangeWindow("02:30", "06:00"), "Europe/Berlin", date(2026, 10, 25))
    assert (opens, closes) == (utc("2026-10-25 00:30"), utc("2026-10-25 05:00"))


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../../etc/passwd", "Europe", "europe/berlin/", "\0"])
def test_a_zone_that_nobody_here_knows_counts_as_utc(name: str) -> None:
    assert zone_of(name).key == "UTC"
    assert local_time(utc("2026-12-01 21:00"), name) == "2026-12-01 21:00 UTC"


def _different_zones() -> list[str]:
    """Every zone that differs from all others within these years: most names are another one's."""
    hours = [utc("2008-01-01 00:00") + n * timedelta(days=3.7) for n in range(1_000)]
    by_clock = {tuple(at.astimezone(ZoneInfo(name)).utcoffset() for at in hours): name for name in _names()}
    return sorted(by_clock.values())


def _names() -> list[str]:
    return sorted(available_timezones() - {"Factory", "localtime", "posixrules"})


WINDOWS = [ChangeWindow("22:00", "06:00"), ChangeWindow("00:00", "01:00"), ChangeWindow("02:15", "03:30")]


def test_in_every_zone_each_day_of_ten_years_has_an_opening_and_both_questions_agree() -> None:
    days = [date(2008, 1, 1) + n * DAY for n in range(3_653)]
    zones = _different_zones()
    assert len(zones) > 90
    for number, zone in enumerate(zones):
        window, tz = WINDOWS[number % len(WINDOWS)], ZoneInfo(zone)
        before = None
        for day in days:
            opens, closes = period(window, zone, day)
            assert closes - opens >= HOUR, (zone, window, day)
            if before is not None and before[0] != opens:
                assert before[0] < opens, (zone, window, day)
            exists = datetime.combine(day, datetime.min.time(), tz).astimezone(UTC).astimezone(tz).date() == day
            if exists and opens.astimezone(tz).date() != day:
                raise AssertionError((zone, window, day, opens))
            # Where the clock is as on any day, nothing can go wrong that does not go wrong on all of them.
            if day.day == 1 or before is None or opens - before[0] != DAY or closes - opens != before[1] - before[0]:
                _agree(window, zone, opens, closes)
            before = opens, closes


def _agree(window: ChangeWindow, zone: str, opens: datetime, closes: datetime) -> None:
    second = timedelta(seconds=1)
    for at in (opens - second, opens, closes - second, closes, closes + second):
        state = state_of_window(window, zone, at)
        assert state.opens_at > at
        if state.closes_at is None:
            assert state_of_window(window, zone, state.opens_at - second).closes_at is None
        else:
            assert state.closes_at > at
            assert state_of_window(window, zone, state.closes_at - second).closes_at is not None
        assert state_of_window(window, zone, state.opens_at).closes_at is not None
    assert state_of_window(window, zone, opens).closes_at is not None
    assert state_of_window(window, zone, closes - second).closes_at is not None
    assert state_of_window(window, zone, opens - second).opens_at == opens or (
        state_of_window(window, zone, opens - second).closes_at is not None
    )
