"""A feed in memory, with the promises of tool-sync's: in order, by position, filtered by org."""

from collections.abc import AsyncIterator, Container, Sequence
from uuid import UUID

from zerotouch_contracts.subscriber.delivery import Delivered, Incoming
from zerotouch_contracts.subscriber.feed import PAGE_EVENTS, FeedPage
from zerotouch_contracts.testing.samples import as_newer


class MemoryFeed:
    """Serves ``events`` (a live list; positions rising), those with an id in ``newer`` as of an unknown type.

    ``asked`` counts the pages.
    """

    def __init__(self, log_id: UUID, events: Sequence[Delivered], *, newer: Container[str] = ()) -> None:
        self.asked = 0
        self._newer = newer
        self._log_id = log_id
        self._events = events

    async def page(
        self, after: int, *, org_id: UUID | None = None, limit: int = PAGE_EVENTS, wait_seconds: int = 0
    ) -> FeedPage:
        """See ``Feed.page``; never waits."""
        self.asked += 1
        above = [event for event in self._events if (event.position or 0) > after]
        mine = [event for event in above if org_id is None or event.org_id == org_id]
        head = max((event.position or 0 for event in self._events), default=0)
        page = mine[:limit]
        through = (page[-1].position or 0) if len(mine) > limit else max(head, after)
        return FeedPage(self._log_id, tuple(self._shown(event) for event in page), through, head)

    async def pages(self, after: int, *, org_id: UUID | None = None) -> AsyncIterator[FeedPage]:
        """See ``Feed.pages``."""
        while True:
            page = await self.page(after, org_id=org_id)
            yield page
            if page.scanned_through >= page.head:
                return
            after = page.scanned_through

    def _shown(self, event: Delivered) -> Incoming:
        return as_newer(event) if event.id in self._newer else event
