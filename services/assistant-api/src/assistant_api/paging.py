"""Pages: the cursor that names a place in a list, and the times that may be asked for."""

import base64
import binascii
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from assistant_api.problem import invalid

First = TypeVar("First")
Second = TypeVar("Second")


def cursor_text(first: str, second: str) -> str:
    """The cursor of the row with these sort keys: opaque to clients, safe in a URL."""
    return base64.urlsafe_b64encode(json.dumps([first, second]).encode()).decode()


def cursor_of(
    text: str | None, first: Callable[[Any], First], second: Callable[[Any], Second]
) -> tuple[First | None, Second | None]:
    """The sort keys that a cursor names, None for both without one; a 422 problem for anything else.

    ``first`` and ``second`` read a key, and raise ``ValueError``, ``TypeError`` or ``AttributeError`` for what is none.
    """
    if text is None:
        return None, None
    try:
        left, right = json.loads(base64.urlsafe_b64decode(text.encode()))
        return first(left), second(right)
    except (ValueError, TypeError, AttributeError, RecursionError, binascii.Error):
        raise invalid("after is not a cursor of this list") from None


def time_and_id(text: str | None) -> tuple[datetime | None, UUID | None]:
    """What the cursor of a list in order of a time names."""
    return cursor_of(text, _time, UUID)


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError
    return time


def within_range(time: datetime | None, field: str) -> datetime | None:
    """PostgreSQL's driver turns times into UTC, which the first and last days of the Python calendar do not survive."""
    if time is not None and not 1970 <= time.year <= 2500:
        raise invalid(f"{field} must be between 1970 and 2500", [{"field": field, "problem": "is out of range"}])
    return time
