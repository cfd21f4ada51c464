"""When a clinic can be visited: slots of its local days as instants, pure.

A slot starts at an opening plus a multiple of the slot's length on the clock on the wall, and ends before closing. On
the day that clocks go forward the missing hour has no slots; on the day that they go back the hour that comes twice
has its slots twice.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal, assert_never
from uuid import UUID
from zoneinfo import ZoneInfo

DAY_MINUTES: Final = 24 * 60

WhyNot = Literal["in_the_past", "too_far_ahead", "closed", "not_a_slot", "no_such_time"]


@dataclass(frozen=True, slots=True)
class Opening:
    """From `opens` to `closes`, in minutes of the local day; 1440 is its end."""

    opens: int
    closes: int


@dataclass(frozen=True, slots=True)
class Clinic:
    """What a clinic's calendar looks like. Openings by weekday, Monday 0; None is always open. No services: any.

    ``country`` is the one by whose plan national phone numbers are read; None where it is not known.
    """

    org_id: UUID
    number: int
    zone: ZoneInfo
    slot_minutes: int
    openings: Mapping[int, tuple[Opening, ...]] | None = None
    services: tuple[str, ...] = ()
    country: str | None = None

    @property
    def slot(self) -> timedelta:
        """The length of an appointment."""
        return timedelta(minutes=self.slot_minutes)

    def openings_on(self, day: date) -> tuple[Opening, ...]:
        """The openings of a local day, in order."""
        if self.openings is None:
            return (Opening(0, DAY_MINUTES),)
        return self.openings.get(day.weekday(), ())

    def local(self, instant: datetime) -> datetime:
        """An instant on the clock on the clinic's wall."""
        return instant.astimezone(self.zone)


def instants(zone: ZoneInfo, day: date, minute: int) -> tuple[datetime, ...]:
    """When the clock shows this minute of this day, in UTC: once, never where it is put forward, twice where back."""
    shown = datetime.combine(day, time(minute // 60, minute % 60))
    found: list[datetime] = []
    for fold in (0, 1):
        instant = shown.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        if instant.astimezone(zone).replace(tzinfo=None, fold=0) == shown and instant not in found:
            found.append(instant)
    return tuple(found)


def starts_at(
    clinic: Clinic, day: date, minute: int, *, now: datetime, days_ahead_max: int
) -> tuple[datetime, ...] | WhyNot:
    """The starts that "this day at this minute" can mean, in order and not empty, or why there is none."""
    today = clinic.local(now).date()
    if day < today:
        return "in_the_past"
    if day > today + timedelta(days=days_ahead_max):
        return "too_far_ahead"
    candidates = instants(clinic.zone, day, minute)
    if not candidates:
        return "no_such_time"
    future = tuple(start for start in candidates if start > now)
    if not future:
        return "in_the_past"
    for opening in clinic.openings_on(day):
        if opening.opens <= minute and minute + clinic.slot_minutes <= opening.closes:
            return future if (minute - opening.opens) % clinic.slot_minutes == 0 else "not_a_slot"
    return "closed"


def slots_from(clinic: Clinic, earliest: datetime, *, days: int) -> Iterator[datetime]:
    """All starts from ``earliest`` on, in order, during ``days`` local days."""
    first = clinic.local(earliest).date()
    for offset in range(days):
        for start in _slots_of(clinic, first + timedelta(days=offset)):
            if start >= earliest:
                yield start


def _slots_of(clinic: Clinic, day: date) -> Iterable[datetime]:
    minutes = (
        minute
        for opening in clinic.openings_on(day)
        for minute in range(opening.opens, opening.closes - clinic.slot_minutes + 1, clinic.slot_minutes)
    )
    midnight = datetime.combine(day, time(), tzinfo=clinic.zone)
    if midnight.utcoffset() == (midnight + timedelta(days=1)).utcoffset():  # nobody touches the clocks: much cheaper
        begin = midnight.astimezone(UTC)
        return (begin + timedelta(minutes=minute) for minute in minutes)
    # Of an hour that comes twice the second round comes after the first.
    return sorted({start for minute in minutes for start in instants(clinic.zone, day, minute)})


def look_from(clinic: Clinic, day: date, minute: int, *, now: datetime, why_not: WhyNot) -> datetime:
    """Where to look for other slots when this one cannot be: at the wished time, or now where that makes no sense."""
    match why_not:
        case "in_the_past" | "too_far_ahead":
            return now
        case "closed" | "not_a_slot" | "no_such_time":
            wished = datetime.combine(day, time(minute // 60, minute % 60), tzinfo=clinic.zone).astimezone(UTC)
            return max(now, wished)
        case _:
            assert_never(why_not)
