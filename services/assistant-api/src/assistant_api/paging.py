"""Pages: the cursor that names a place in a list, and the times that may be asked for."""

import base64
import binascii
import json
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

from pydantic import AwareDatetime

from assistant_api.problem import invalid
from zerotouch_contracts.text import require_storable
from zerotouch_platform.request_times import WithDate

Since = Annotated[AwareDatetime, WithDate]
_YEAR_MIN: Final = 1970
_YEAR_MAX: Final = 2500
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
        return first(require_storable(left)), second(require_storable(right))
    except (ValueError, TypeError, AttributeError, RecursionError, binascii.Error):
        raise invalid("after is not a cursor of this list") from None


def time_and_id(text: str | None) -> tuple[datetime | None, UUID | None]:
    """What the cursor of a list in order of a time names."""
    return cursor_of(text, _time, UUID)


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None or not _YEAR_MIN <= time.year <= _YEAR_MAX:
        raise ValueError
    return time


def within_range(time: datetime | None, field: str) -> datetime | None:
    """PostgreSQL's driver turns times into UTC, which the first and last days of the Python calendar do not survive."""
    if time is not None and not _YEAR_MIN <= time.year <= _YEAR_MAX:
        raise invalid(
            f"{field} must be between {_YEAR_MIN} and {_YEAR_MAX}", [{"field": field, "problem": "is out of range"}]
        )
    return time
