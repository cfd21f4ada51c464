"""What is said of a clinic's bookings, by its own clock, and of what is not counted."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from tool_sync.queries.tool_calls import OrgCalls, clinic_clock, missing

NOW = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)
WEEK_AGO = NOW - timedelta(days=7)


def calls(bookings: int, *why: str, last: datetime | None = NOW, time_zone: str = "UTC") -> OrgCalls:
    day = date(2026, 11, 30)
    return OrgCalls(UUID(int=1), None, time_zone, day, day, bookings, last, (), NOW, NOW, why, NOW)


@pytest.mark.parametrize(
    ("at", "time_zone", "said"),
    [
        (NOW, "UTC", "today 23:30"),
        (NOW, "Europe/Vienna", "today 00:30"),
        (NOW - timedelta(hours=1), "Europe/Vienna", "yesterday 23:30"),
        (NOW - timedelta(hours=1), "UTC", "today 22:30"),
        (NOW - timedelta(days=1), "America/New_York", "yesterday 18:30"),
        (NOW - timedelta(days=6), "Asia/Kolkata", "on 25 Nov 2026 at 05:00"),
        (NOW, "Mars/Olympus_Mons", "today 23:30"),
        (NOW + timedelta(days=1), "UTC", "on 01 Dec 2026 at 23:30"),
    ],
)
def test_a_time_is_said_by_the_clinic_s_clock(at: datetime, time_zone: str, said: str) -> None:
    assert clinic_clock(at, NOW, time_zone) == said


def test_bookings_are_said_with_the_last_one_and_never_as_all_where_some_may_be_missing() -> None:
    assert calls(12).said == "12 (last today 23:30, UTC)"
    assert calls(1234, time_zone="Europe/Vienna").said == "1,234 (last today 00:30, Europe/Vienna)"
    assert calls(0, last=None).said == "none"
    assert calls(0, "why", last=None).said == "none that is known"
    assert calls(12, "why").said == "at least 12 (last today 23:30, UTC)"
    assert calls(0, last=NOW - timedelta(days=20)).said == "none (last on 10 Nov 2026 at 23:30, UTC)"


def why(counted_since: datetime | None, read_through: datetime | None, lost: int = 0) -> list[str]:
    return list(missing(NOW, WEEK_AGO, counted_since, read_through, lost, "Europe/Vienna"))


def test_nothing_is_missing_where_all_was_read_since_before_the_first_day() -> None:
    assert why(WEEK_AGO, NOW - timedelta(seconds=60)) == []


@pytest.mark.parametrize(
    ("counted_since", "read_through", "lost", "says"),
    [
        (None, None, 0, "no call has ever been read"),
        (WEEK_AGO + timedelta(seconds=1), NOW, 0, "calls are counted since 2026-11-24 00:30 Europe/Vienna; of older"),
        (WEEK_AGO, None, 0, "how far calls are read is not known yet"),
        (WEEK_AGO, NOW - timedelta(seconds=61), 0, "calls are read up to 2026-12-01 00:28 Europe/Vienna; newer ones"),
        (WEEK_AGO, NOW, 1200, "1,200 calls, of whichever clinics, were lost in Kafka before they were read"),
    ],
)
def test_each_reason_why_some_may_be_missing_is_said(
    counted_since: datetime | None, read_through: datetime | None, lost: int, says: str
) -> None:
    (said,) = why(counted_since, read_through, lost)
    assert said.startswith(says)
