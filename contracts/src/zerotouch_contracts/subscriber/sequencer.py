"""Admits each outcome of an org once and in order: repeats are left out, holes are filled from the feed."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from zerotouch_contracts.subscriber.delivery import Delivered
from zerotouch_contracts.subscriber.errors import HoleUnfilled, LogChanged
from zerotouch_contracts.subscriber.feed import OutcomePages
from zerotouch_contracts.subscriber.order import Last, Place, place_of
from zerotouch_contracts.subscriber.state import Marks


class Sequencer:
    """Begins at the marks of a state and moves with what it admits. ``holes`` counts those that were filled."""

    def __init__(self, marks: Marks, feed: OutcomePages) -> None:
        self.log_id = marks.log_id
        self.holes = 0
        self._last = dict(marks.last)
        self._position = marks.position
        self._feed = feed

    async def admit(self, deliveries: Iterable[Delivered]) -> list[Delivered]:
        """What is to be applied of ``deliveries``, in order, with what fills the holes.

        Raises :class:`LogChanged`, :class:`HistoryRewritten`, :class:`HoleUnfilled`, and what the feed raises. After an
        exception make a new sequencer from the stored marks.
        """
        admitted: list[Delivered] = []
        for delivered in deliveries:
            self._same_log(delivered.log_id)
            place = place_of(self._last.get(delivered.org_id), delivered)
            if place is Place.AFTER_A_HOLE:
                admitted += await self._fill(delivered)
                place = place_of(self._last.get(delivered.org_id), delivered)
            if place is Place.NEXT:
                self._last[delivered.org_id] = Last(delivered.sequence, delivered.id)
                admitted.append(delivered)
        return admitted

    def marks_of(self, admitted: Sequence[Delivered], *, position: int | None = None) -> Marks:
        """The marks to store with a batch; ``position`` where all of the log up to there has been seen."""
        self._position = max(self._position, position or 0)
        return Marks(self.log_id, {d.org_id: self._last[d.org_id] for d in admitted}, self._position)

    def _same_log(self, log_id: UUID) -> None:
        if self.log_id is None:
            self.log_id = log_id
        elif self.log_id != log_id:
            raise LogChanged(self.log_id, log_id)

    async def _fill(self, delivered: Delivered) -> list[Delivered]:
        """Everything of the org from its last message to ``delivered``, from the feed."""
        org_id, before = delivered.org_id, self._last.get(delivered.org_id)
        after, found = self._position, list[Delivered]()
        while True:
            page = await self._feed.page(after, org_id=org_id)
            self._same_log(page.log_id)
            for item in page.events:
                if before is None and not found and self._position:
                    # Built from a snapshot, which names no sequence: the first message after it says where it stood.
                    self._last.setdefault(org_id, Last(item.sequence - 1, None))
                if item.sequence > delivered.sequence:
                    break
                if place_of(self._last.get(org_id), item) is Place.NEXT:
                    self._last[org_id] = Last(item.sequence, item.id)
                    found.append(item)
            last = self._last.get(org_id)
            if last is not None and last.sequence >= delivered.sequence:
                self.holes += 1
                return found
            if page.scanned_through >= page.head or page.scanned_through <= after:
                if last is None and self._position:
                    return found  # nothing of the org is newer than the snapshot: the record is in it
                raise HoleUnfilled(org_id, (last.sequence if last else 0) + 1, delivered.sequence)
            after = page.scanned_through
