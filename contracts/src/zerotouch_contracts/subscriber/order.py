"""The rules by which a subscriber knows that it missed nothing, and which log it follows. Pure.

Per org: last + 1 is next. Not above last is a repeat (the relay sends at least once, and after a takeover old records
may follow newer ones); the same number with another id means that history was rewritten. Higher shows a hole.

After a restore of tool-sync's database another log goes on. Whoever keeps all of it must rebuild (:class:`LogChanged`);
whoever keeps only the newest of each may go on with :func:`follow`, per org.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from zerotouch_contracts.subscriber.delivery import Enveloped
from zerotouch_contracts.subscriber.errors import HistoryRewritten
from zerotouch_contracts.subscriber.unknown import UnknownOutcome


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


def place_of(last: Last | None, delivered: Enveloped[Any] | UnknownOutcome) -> Place:
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
        raise HistoryRewritten(delivered.key, newest, had, delivered.id)
    return Place.REPEAT


@dataclass(frozen=True, slots=True)
class Followed:
    """The log that is followed for an org, the time of its newest message, and the logs that it has replaced."""

    log_id: UUID
    newest_at: datetime
    former: frozenset[UUID] = frozenset()


def follow(followed: Followed | None, delivered: Enveloped[Any]) -> Followed | None:
    """What is followed once ``delivered`` has come; None where it is of an older log, and is to be left out.

    Another log is a newer one where it has not been followed before and goes on later: a restore takes longer than
    clocks differ. Numbers begin anew with it.
    """
    if followed is None:
        return Followed(delivered.log_id, delivered.time)
    if delivered.log_id == followed.log_id:
        return replace(followed, newest_at=max(followed.newest_at, delivered.time))
    if delivered.log_id in followed.former or delivered.time <= followed.newest_at:
        return None
    return Followed(delivered.log_id, delivered.time, followed.former | {followed.log_id})
