"""How often a clinic's callers have booked, by what `tool-calls.v1` said; and where such a count is not complete.

Days are those of the clinic's clock. What is counted says :mod:`tool_sync.intake.call_counts`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import UUID

from tool_sync.db import Connection
from tool_sync.domain.change_window import TIME_ZONE_DEFAULT, local_time, zone_of

DAYS: Final = 7
"""As many as people are shown, and as the topic keeps: today and the six days before."""
DAYS_MAX: Final = 92
BOOKED: Final = "booked"
LATE: Final = timedelta(seconds=60)
"""Calls that are read so late are worth a word."""
NOT_LOOKED_AT: Final = "calls that assistant-api has answered and not published yet"

_READ: Final = """
SELECT clock_timestamp() AS now, coalesce(w.time_zone, $2) AS time_zone, r.counted_since, r.read_through,
       coalesce(r.lost, 0) AS lost
  FROM (SELECT) one LEFT JOIN tool_calls_read r ON true LEFT JOIN org_change_windows w ON w.org_id = $1
"""
_COUNTS: Final = """
SELECT day, tool, code, sum(calls)::bigint AS calls, max(newest_at) AS newest_at FROM tool_call_counts
 WHERE org_id = $1 AND day BETWEEN $2 AND $3 AND ($4::text IS NULL OR assistant_id = $4)
 GROUP BY day, tool, code ORDER BY day DESC, tool, code
"""
_LAST_BOOKING: Final = """
SELECT max(newest_at) FROM tool_call_counts
 WHERE org_id = $1 AND code = $2 AND ($3::text IS NULL OR assistant_id = $3) AND day = (
       SELECT day FROM tool_call_counts
        WHERE org_id = $1 AND code = $2 AND ($3::text IS NULL OR assistant_id = $3) ORDER BY day DESC LIMIT 1)
"""


@dataclass(frozen=True, slots=True)
class CallCount:
    """So many calls of a tool had this result on a day; ``newest_at``: the last of them."""

    day: date
    tool: str
    code: str
    calls: int
    newest_at: datetime


@dataclass(frozen=True, slots=True)
class OrgCalls:
    """A clinic's calls, or one assistant's, on the days ``since`` to ``through`` of the clinic's clock.

    ``last_booking_at`` may be older than these days. ``missing``: why there may have been more than was counted, a
    sentence each; empty where nothing is known to be missing but :data:`NOT_LOOKED_AT`.
    """

    org_id: UUID
    assistant_id: str | None
    time_zone: str
    since: date
    through: date
    bookings: int
    last_booking_at: datetime | None
    counts: tuple[CallCount, ...]
    counted_since: datetime | None
    read_through: datetime | None
    missing: tuple[str, ...]
    at: datetime

    @property
    def days(self) -> int:
        """How many days these are."""
        return (self.through - self.since).days + 1

    @property
    def last_booking(self) -> str | None:
        """When the last booking was, by the clinic's clock: ``today 09:12``."""
        return None if self.last_booking_at is None else clinic_clock(self.last_booking_at, self.at, self.time_zone)

    @property
    def said(self) -> str:
        """The bookings in words: ``12 (last today 09:12, Europe/Vienna)``."""
        last = "" if self.last_booking is None else f" (last {self.last_booking}, {self.time_zone})"
        if not self.bookings:
            return f"none{' that is known' if self.missing else ''}{last}"
        return f"{'at least ' if self.missing else ''}{self.bookings:,}{last}"


def booked_lines(calls: OrgCalls) -> Iterator[str]:
    """For a terminal: the bookings, and what is not among them."""
    yield f"bookings of {calls.days} days: {calls.said}"
    yield from (f"not counted: {what}" for what in (*calls.missing, NOT_LOOKED_AT))


async def calls_of(
    connection: Connection, org_id: UUID, assistant_id: str | None = None, *, days: int = DAYS
) -> OrgCalls:
    """The calls of the last ``days`` days, today among them: of the clinic, or of one assistant, by its id at Vapi."""
    (read,) = await connection.fetch(_READ, org_id, TIME_ZONE_DEFAULT)
    now, zone = read["now"], zone_of(read["time_zone"])
    today = now.astimezone(zone).date()
    since = today - timedelta(days=days - 1)
    # Tomorrow, too: the zone may have changed since a call was counted.
    rows = await connection.fetch(_COUNTS, org_id, since, today + timedelta(days=1), assistant_id)
    counts = tuple(CallCount(**dict(row)) for row in rows)
    begins_at, counted, through = datetime.combine(since, time(), zone), read["counted_since"], read["read_through"]
    return OrgCalls(
        org_id=org_id,
        assistant_id=assistant_id,
        time_zone=zone.key,
        since=since,
        through=today,
        bookings=sum(one.calls for one in counts if one.code == BOOKED),
        last_booking_at=await connection.fetchval(_LAST_BOOKING, org_id, BOOKED, assistant_id),
        counts=counts,
        counted_since=counted,
        read_through=through,
        missing=tuple(missing(now, begins_at, counted, through, read["lost"], zone.key)),
        at=now,
    )


def missing(
    now: datetime,
    begins_at: datetime,
    counted_since: datetime | None,
    read_through: datetime | None,
    lost: int,
    time_zone: str = TIME_ZONE_DEFAULT,
) -> Iterator[str]:
    """Why a count of the calls from ``begins_at`` to ``now`` may be too low, a sentence each."""
    if counted_since is None:
        yield "no call has ever been read"
        return
    if counted_since > begins_at:
        yield f"calls are counted since {local_time(counted_since, time_zone)}; of older ones, what Kafka still had"
    if read_through is None:
        yield "how far calls are read is not known yet"
    elif now - read_through > LATE:
        yield f"calls are read up to {local_time(read_through, time_zone)}; newer ones are not counted yet"
    if lost:
        yield f"{lost:,} calls, of whichever clinics, were lost in Kafka before they were read"


def clinic_clock(at: datetime, now: datetime, time_zone: str) -> str:
    """A moment as somebody at the clinic says it: ``today 09:12``, ``yesterday 17:40``, ``on 24 Nov 2026 at 09:12``."""
    zone = zone_of(time_zone)
    local, today = at.astimezone(zone), now.astimezone(zone).date()
    match (today - local.date()).days:
        case 0:
            return f"today {local:%H:%M}"
        case 1:
            return f"yesterday {local:%H:%M}"
    return f"on {local:%d %b %Y} at {local:%H:%M}"
