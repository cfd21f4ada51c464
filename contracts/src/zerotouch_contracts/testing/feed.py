"""A feed in memory, with the promises of tool-sync's: in order, by position, filtered by org."""

from collections.abc import AsyncIterator, Container, Sequence
from typing import Any, Generic, TypeVar
from uuid import UUID

from zerotouch_contracts.subscriber.delivery import Delivered, Enveloped, FleetDelivered
from zerotouch_contracts.subscriber.feed import PAGE_EVENTS, PageOf
from zerotouch_contracts.subscriber.unknown import Unknown
from zerotouch_contracts.testing.samples import as_newer

D = TypeVar("D", bound=Enveloped[Any])


class MemoryPages(Generic[D]):
    """Serves ``events`` (a live list; positions rising), those with an id in ``newer`` as of an unknown type.

    ``asked`` counts the pages.
    """

    def __init__(self, log_id: UUID, events: Sequence[D], *, newer: Container[str] = ()) -> None:
        self.asked = 0
        self._newer = newer
        self._log_id = log_id
        self._events = events

    async def page(
        self, after: int, *, org_id: UUID | None = None, limit: int = PAGE_EVENTS, wait_seconds: int = 0
    ) -> PageOf[D]:
        """See ``Feed.page``; never waits."""
        self.asked += 1
        above = [event for event in self._events if (event.position or 0) > after]
        mine = [event for event in above if org_id is None or event.asked_org == org_id]
        head = max((event.position or 0 for event in self._events), default=0)
        page = mine[:limit]
        through = (page[-1].position or 0) if len(mine) > limit else max(head, after)
        return PageOf(self._log_id, tuple(self._shown(event) for event in page), through, head)

    async def pages(self, after: int, *, org_id: UUID | None = None) -> AsyncIterator[PageOf[D]]:
        """See ``Feed.pages``."""
        while True:
            page = await self.page(after, org_id=org_id)
            yield page
            if page.scanned_through >= page.head:
                return
            after = page.scanned_through

    def _shown(self, event: D) -> D | Unknown:
        return as_newer(event) if event.id in self._newer else event


class MemoryFeed(MemoryPages[Delivered]):
    """A feed of outcomes."""


class FleetMemoryFeed(MemoryPages[FleetDelivered]):
    """A feed of what becomes of tools and rollouts."""
