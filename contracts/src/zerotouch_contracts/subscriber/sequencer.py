"""Admits each message of a key once and in order: repeats are left out, holes are filled from the feed."""

from collections.abc import Iterable
from typing import Any, Generic, TypeVar
from uuid import UUID

from zerotouch_contracts.subscriber.delivery import Delivered, Enveloped, FleetDelivered
from zerotouch_contracts.subscriber.errors import HoleUnfilled, LogChanged
from zerotouch_contracts.subscriber.feed import Pages
from zerotouch_contracts.subscriber.order import Last, Place, place_of
from zerotouch_contracts.subscriber.state import Marks
from zerotouch_contracts.subscriber.unknown import PassedOver, Unknown, UnknownNotice, UnknownOutcome

D = TypeVar("D", bound=Enveloped[Any])


class SequencerOf(Generic[D]):
    """Begins at the marks of a state and moves with what comes. ``holes`` counts those that were filled."""

    def __init__(self, marks: Marks, feed: Pages[D], passed_over: PassedOver | None = None) -> None:
        self.log_id = marks.log_id
        self.holes = 0
        self._last = dict(marks.last)
        self._moved: set[UUID] = set()
        self._position = marks.position
        self._feed = feed
        self._passed_over = passed_over or PassedOver()

    async def admit(self, incoming: Iterable[D | Unknown]) -> list[D]:
        """What is to be applied of ``incoming``, in order, with what fills the holes.

        A message of an unknown type is not among it, but takes its number. Raises :class:`LogChanged`,
        :class:`HistoryRewritten`, :class:`HoleUnfilled`, and what the feed raises. After an exception make a new
        sequencer from the stored marks.
        """
        admitted: list[D] = []
        for item in incoming:
            if isinstance(item, UnknownNotice):
                self._passed_over.note(item)
                continue
            self._same_log(item.log_id)
            place = place_of(self._last.get(item.key), item)
            if place is Place.AFTER_A_HOLE:
                admitted += await self._fill(item)
                place = place_of(self._last.get(item.key), item)
            if place is Place.NEXT:
                admitted += self._moved_to(item)
        return admitted

    def marks(self, *, position: int | None = None) -> Marks:
        """The marks to store with a batch: of every org that moved since they were asked for last, also where what
        moved it was passed over. ``position`` where all of the log up to there has been seen."""
        self._position = max(self._position, position or 0)
        moved, self._moved = self._moved, set()
        return Marks(self.log_id, {org_id: self._last[org_id] for org_id in moved}, self._position)

    def _moved_to(self, item: D | UnknownOutcome) -> list[D]:
        """What is to be applied of the next message of an org."""
        self._last[item.key] = Last(item.sequence, item.id)
        self._moved.add(item.key)
        if isinstance(item, UnknownOutcome):
            self._passed_over.note(item)
            return []
        return [item]

    def _same_log(self, log_id: UUID) -> None:
        if self.log_id is None:
            self.log_id = log_id
        elif self.log_id != log_id:
            raise LogChanged(self.log_id, log_id)

    async def _fill(self, upto: D | UnknownOutcome) -> list[D]:
        """Everything of the key from its last message to ``upto``, from the feed."""
        key, before = upto.key, self._last.get(upto.key)
        after, found = self._position, list[D]()
        while True:
            page = await self._feed.page(after, org_id=upto.asked_org)
            self._same_log(page.log_id)
            for item in page.events:
                if isinstance(item, UnknownNotice) or item.key != key:
                    continue
                if before is None and not found and self._position:
                    # Built from a snapshot, which names no sequence: the first message after it says where it stood.
                    self._last.setdefault(key, Last(item.sequence - 1, None))
                if item.sequence > upto.sequence:
                    break
                if place_of(self._last.get(key), item) is Place.NEXT:
                    found += self._moved_to(item)
            last = self._last.get(key)
            if last is not None and last.sequence >= upto.sequence:
                self.holes += 1
                return found
            if page.scanned_through >= page.head or page.scanned_through <= after:
                if last is None and self._position:
                    return found  # nothing of the org is newer than the snapshot: the record is in it
                raise HoleUnfilled(key, (last.sequence if last else 0) + 1, upto.sequence)
            after = page.scanned_through


class Sequencer(SequencerOf[Delivered]):
    """Of the outcomes."""


class FleetSequencer(SequencerOf[FleetDelivered]):
    """Of what becomes of tools and rollouts."""
