"""Times as requests name them."""

import re
from datetime import datetime
from typing import Final

from pydantic import BeforeValidator

DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _rfc3339(value: object) -> object:
    """Pydantic would read a number as seconds since 1970, and a text of digits, too."""
    if isinstance(value, datetime) or (isinstance(value, str) and DATE.match(value)):
        return value
    raise ValueError("must be a time of RFC 3339, as 2026-11-28T14:30:00Z")


WithDate = BeforeValidator(_rfc3339)
"""For a time that a request names."""
