"""Pages in order of a time: the cursor that names a place in them, and the times that may be asked for."""

import base64
import binascii
import json
from datetime import datetime
from uuid import UUID

from assistant_api.problem import invalid


def cursor_text(time: datetime, row_id: UUID) -> str:
    """The cursor of a row: opaque to clients, safe in a URL."""
    return base64.urlsafe_b64encode(json.dumps([time.isoformat(), str(row_id)]).encode()).decode()


def cursor_of(text: str | None) -> tuple[datetime | None, UUID | None]:
    """The time and id that a cursor names, None for both without one; a 422 problem for anything else."""
    if text is None:
        return None, None
    try:
        time, row_id = json.loads(base64.urlsafe_b64decode(text.encode()))
        moment = datetime.fromisoformat(time)
        if moment.tzinfo is None:
            raise ValueError
        return moment, UUID(row_id)
    except (ValueError, TypeError, AttributeError, RecursionError, binascii.Error):
        raise invalid("after is not a cursor of this list") from None


def within_range(time: datetime | None, field: str) -> datetime | None:
    """PostgreSQL's driver turns times into UTC, which the first and last days of the Python calendar do not survive."""
    if time is not None and not 1970 <= time.year <= 2500:
        raise invalid(f"{field} must be between 1970 and 2500", [{"field": field, "problem": "is out of range"}])
    return time
