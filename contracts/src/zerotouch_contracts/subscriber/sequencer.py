"""Admits each outcome of an org once and in order: repeats are left out, holes are filled from the feed."""

from collections.abc import Iterable
from uuid import UUID

from zerotouch_contracts.subscriber.delivery import Delivered, Incoming
from zerotouch_contracts.subscriber.errors import HoleUnfilled, LogChanged
from zerotouch_contracts.subscriber.feed import OutcomePages
from zerotouch_contracts.subscriber.order import Last, Place, place_of
from zerotouch_contracts.subscriber.state import Marks
from zerotouch_contracts.subscriber.unknown import PassedOver, UnknownNotice, UnknownOutcome


class Sequencer:
    """Begins at the marks of a state and moves with what comes. ``holes`` counts those that were filled."""

    def __init__(self, marks: Marks, feed: OutcomePages, passed_over: PassedOver | None = None) -> None:
        self.log_id = marks.log_id
        self.holes = 0
        self._last = dict(marks.last)
        self._moved: set[UUID] = set()
        self._position = marks.position
        self._feed = feed
        self._passed_over = passed_over or PassedOver()

    async def admit(self, incoming: Iterable[Incoming]) -> list[Delivered]:
        """What is to be applied of ``incoming``, in order, with what fills the holes.

        A message of an unknown type is not among it, but takes its number. Raises :class:`LogChanged`,
        :class:`HistoryRewritten`, :class:`HoleUnfilled`, and what the feed raises. After an exception make a new
        sequencer from the stored marks.
        """
        admitted: list[Delivered] = []
        for item in incoming:
            if isinstance(item, UnknownNotice):
                self._passed_over.note(item)
                continue
            self._same_log(item.log_id)
            place = place_of(self._last.get(item.org_id), item)
            if place is Place.AFTER_A_HOLE:
                admitted += await self._fill(item)
                place = place_of(self._last.get(item.org_id), item)
            if place is Place.NEXT:
                admitted += self._moved_to(item)
        return admitted

    def marks(self, *, position: int | None = None) -> Marks:
        """The marks to store with a batch: of every org that moved since they were asked for last, also where what
        moved it was passed over. ``position`` where all of the log up to there has been seen."""
        self._position = max(self._position, position or 0)
        moved, self._moved = self._moved, set()
        return Marks(self.log_id, {org_id: self._last[org_id] for org_id in moved}, self._position)

    def _moved_to(self, item: Delivered | UnknownOutcome) -> list[Delivered]:
        """What is to be applied of the next message of an org."""
        self._last[item.org_id] = Last(item.sequence, item.id)
        self._moved.add(item.org_id)
        if isinstance(item, Delivered):
            return [item]
        self._passed_over.note(item)
        return []

    def _same_log(self, log_id: UUID) -> None:
        if self.log_id is None:
            self.log_id = log_id
        elif self.log_id != log_id:
            raise LogChanged(self.log_id, log_id)

    async def _fill(self, upto: Delivered | UnknownOutcome) -> list[Delivered]:
        """Everything of the org from its last message to ``upto``, from the feed."""
        org_id, before = upto.org_id, self._last.get(upto.org_id)
        after, found = self._position, list[Delivered]()
        while True:
            page = await self._feed.page(after, org_id=org_id)
            self._same_log(page.log_id)
            for item in page.events:
                if isinstance(item, UnknownNotice):
                    continue
                if before is None and not found and self._position:
                    # Built from a snapshot, which names no sequence: the first message after it says where it stood.
                    self._last.setdefault(org_id, Last(item.sequence - 1, None))
                if item.sequence > upto.sequence:
                    break
                if place_of(self._last.get(org_id), item) is Place.NEXT:
                    found += self._moved_to(item)
            last = self._last.get(org_id)
            if last is not None and last.sequence >= upto.sequence:
                self.holes += 1
                return found
            if page.scanned_through >= page.head or page.scanned_through <= after:
                if last is None and self._position:
                    return found  # nothing of the org is newer than the snapshot: the record is in it
                raise HoleUnfilled(org_id, (last.sequence if last else 0) + 1, upto.sequence)
            after = page.scanned_through
