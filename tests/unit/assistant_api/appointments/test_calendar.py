"""Slots of a clinic's days, above all of the two days a year on which the clocks are changed."""

from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant_api.appointments.calendar import Clinic, Opening, instants, slots_from, starts_at

BERLIN = ZoneInfo("Europe/Berlin")
SPRING, AUTUMN = date(2027, 3, 28), date(2027, 10, 31)
NOW = datetime(2027, 1, 15, 12, tzinfo=UTC)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia")


def clinic(**changes: object) -> Clinic:
    values: dict[str, object] = {"org_id": UUID(int=1), "number": 1, "zone": BERLIN, "slot_minutes": 30, **changes}
    return Clinic(**values)  # type: ignore[arg-type]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def starts(day: date, hours: int, minutes: int = 0, **changes: object) -> object:
    return starts_at(clinic(**changes), day, hours * 60 + minutes, now=NOW, days_ahead_max=365)


def test_a_time_is_the_clinics_time_in_summer_and_in_winter() -> None:
    assert starts(date(2027, 2, 1), 10) == (utc("2027-02-01 09:00"),)
    assert starts(date(2027, 7, 1), 10) == (utc("2027-07-01 08:00"),)


def test_a_time_that_the_clocks_skip_does_not_exist() -> None:
    assert starts(SPRING, 2, 30) == "no_such_time"
    assert starts(SPRING, 1, 30) == (utc("2027-03-28 00:30"),)
    assert starts(SPRING, 3) == (utc("2027-03-28 01:00"),)


def test_a_time_that_comes_twice_can_be_booked_twice() -> None:
    assert starts(AUTUMN, 2, 30) == (utc("2027-10-31 00:30"), utc("2027-10-31 01:30"))


def test_a_day_that_midnight_is_missing_from_begins_later() -> None:
    santiago = ZoneInfo("America/Santiago")
    assert instants(santiago, date(2027, 9, 5), 0) == ()
    first = next(slots_from(clinic(zone=santiago), utc("2027-09-05 00:00") + timedelta(hours=4), days=1))
    assert first.astimezone(santiago).strftime("%H:%M") == "01:00"


def test_what_cannot_be_booked_says_why() -> None:
    nine_to_five = {weekday: (Opening(9 * 60, 12 * 60), Opening(13 * 60, 17 * 60)) for weekday in range(5)}
    monday, sunday = date(2027, 1, 18), date(2027, 1, 17)

    assert starts(date(2027, 1, 14), 10) == "in_the_past"
    assert starts(date(2027, 1, 15), 13) == "in_the_past"  # it is 13:00 in Berlin now
    assert starts(date(2028, 1, 16), 10) == "too_far_ahead"
    assert starts(monday, 8, 30, openings=nine_to_five) == "closed"
    assert starts(monday, 12, 0, openings=nine_to_five) == "closed"
    assert starts(monday, 16, 45, openings=nine_to_five) == "closed"
    assert starts(monday, 9, 10, openings=nine_to_five) == "not_a_slot"
    assert starts(sunday, 10, openings=nine_to_five) == "closed"
    assert starts(monday, 16, 30, openings=nine_to_five) == (utc("2027-01-18 15:30"),)


@pytest.mark.parametrize(("day", "count"), [(SPRING, 46), (AUTUMN, 50), (date(2027, 5, 5), 48)])
def test_a_day_has_as_many_slots_as_half_hours(day: date, count: int) -> None:
    begin = datetime(day.year, day.month, day.day, tzinfo=BERLIN)

    found = list(slots_from(clinic(), begin.astimezone(UTC), days=1))

    assert len(found) == count
    assert {b - a for a, b in pairwise(found)} == {timedelta(minutes=30)}


@given(
    zone=st.sampled_from(ZONES),
    earliest=st.datetimes(datetime(2027, 1, 1), datetime(2027, 12, 1), timezones=st.just(UTC)),
    slot_minutes=st.sampled_from([5, 15, 20, 30, 45, 60, 90]),
    opens=st.integers(0, 20 * 60),
    length=st.integers(90, 4 * 60),
)
def test_every_slot_that_is_offered_can_be_booked(
    zone: str, earliest: datetime, slot_minutes: int, opens: int, length: int
) -> None:
    openings = {weekday: (Opening(opens, min(opens + length, 1440)),) for weekday in range(7)}
    made = clinic(zone=ZoneInfo(zone), slot_minutes=slot_minutes, openings=openings)

    found = list(islice(slots_from(made, earliest, days=3), 40))

    assert found == sorted(found)
    for start in found:
        assert start >= earliest
        local = made.local(start)
        minute = local.hour * 60 + local.minute
        bookable = starts_at(made, local.date(), minute, now=start - timedelta(seconds=1), days_ahead_max=365)
        assert start in bookable
