"""Dates in HTTP headers (RFC 9110, 5.6.7)."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache


@lru_cache(maxsize=16)  # the answers of one second all have the same one
def http_date(text: str) -> datetime | None:
    """The time; None for nonsense. One without a zone is UTC's."""
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
