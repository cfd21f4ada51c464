"""``?at=``: a moment in the past."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator


def _with_zone(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


At = Annotated[
    Annotated[datetime, AfterValidator(_with_zone)] | None,
    Query(description="A time (RFC 3339), UTC without a zone; if left out, now."),
]
