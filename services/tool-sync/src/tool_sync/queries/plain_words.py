"""Words that sentences share: what a tool is for, what a code means, a moment as a clock shows it, a reason."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from zerotouch_contracts.errors import entry_of

BOOKING: Final = "bookClinicAppointment"
ABILITIES: Final[Mapping[str, str]] = MappingProxyType(
    {BOOKING: "booking", "cancelAppointment": "cancelling", "rescheduleAppointment": "moving appointments"}
)
"""What a caller can do with a tool; a tool that is not in it is called by its name."""


def ability(tool: str) -> str:
    """What callers can do with a tool."""
    return ABILITIES.get(tool, tool)


def clock_at(at: datetime, now: datetime) -> str:
    """A moment of today as a clock shows it, another day with its date; in UTC."""
    at, now = at.astimezone(UTC), now.astimezone(UTC)
    return f"{at:%H:%M}" if at.date() == now.date() else f"{at:%d %b %Y %H:%M}"


def because(reason: str | None) -> str:
    """A reason at the end of a sentence; nothing where nobody gave one."""
    return f": {reason}" if reason else ""


def named(code: str | None) -> str:
    """A code with its title, where the catalogue has it."""
    entry = entry_of(code)
    return code or "" if entry is None else f"{code} {entry.title}"


def meaning_of(code: str | None) -> str:
    """What the catalogue says of a code, to stand within a sentence: without a dot or a capital."""
    entry = entry_of(code)
    if entry is None:
        return f"the last try failed ({code})" if code else "the last try failed"
    meaning = entry.meaning.rstrip(".")
    return meaning if meaning.startswith("Vapi") else meaning[:1].lower() + meaning[1:]
