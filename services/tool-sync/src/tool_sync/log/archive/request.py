"""How much of the log is to be archived."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

SEGMENT_EVENTS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class WhatToArchive:
    """Up to a position, or what was recorded before a time, or all; in segments of so many events."""

    through: int | None = None
    until: datetime | None = None
    segment_events: int = SEGMENT_EVENTS
