"""The rule by which a subscriber knows that it missed nothing. Pure.

Per org: last + 1 is next. Not above last is a repeat (the relay sends at least once, and after a takeover old records
may follow newer ones); the same number with another id means that history was rewritten. Higher shows a hole.
"""

from dataclasses import dataclass
from enum import Enum

from zerotouch_contracts.subscriber.delivery import Delivered
from zerotouch_contracts.subscriber.errors import HistoryRewritten


@dataclass(frozen=True, slots=True)
class Last:
    """The newest message of an org that was applied. ``event_id`` is None where only its number is known."""

    sequence: int
    event_id: str | None


class Place(Enum):
    """Where a delivery stands among the messages of its org."""

    NEXT = "next"
    REPEAT = "repeat"
    AFTER_A_HOLE = "after_a_hole"


def place_of(last: Last | None, delivered: Delivered) -> Place:
    """Where ``delivered`` stands; ``last`` is None where nothing of the org was applied yet.

    Raises :class:`HistoryRewritten`.
    """
    newest = 0 if last is None else last.sequence
    if delivered.sequence == newest + 1:
        return Place.NEXT
    if delivered.sequence > newest:
        return Place.AFTER_A_HOLE
    had = last.event_id if last is not None else None
    if had is not None and delivered.sequence == newest and delivered.id != had:
        raise HistoryRewritten(delivered.org_id, newest, had, delivered.id)
    return Place.REPEAT
