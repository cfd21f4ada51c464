"""``?at=``: a moment in the past."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator

from zerotouch_platform.request_times import WithDate


def _in_utc(at: datetime) -> datetime:
    try:
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError:  # the first and the last day of the calendar in another zone
        raise ValueError("must be a time of the years 1 to 9999 in UTC") from None


At = Annotated[
    Annotated[datetime, WithDate, AfterValidator(_in_utc)] | None,
    Query(description="A time (RFC 3339), UTC without a zone; if left out, now."),
]
