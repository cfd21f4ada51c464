"""The HTTP feed of tool-sync: ``GET /v1/events`` (contracts/README.md has its promises)."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID

import httpx
from pydantic_core import from_json

from zerotouch_contracts.subscriber.delivery import Incoming, from_feed
from zerotouch_contracts.subscriber.errors import FeedUnavailable

PAGE_EVENTS: Final = 1000
TIMEOUT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class FeedPage:
    """``scanned_through`` is where to go on; ``head`` the newest position of the log at the time."""

    log_id: UUID
    events: tuple[Incoming, ...]
    scanned_through: int
    head: int


class OutcomePages(Protocol):
    """What a subscriber asks of a feed; :class:`Feed` over HTTP, ``testing.MemoryFeed`` in tests."""

    async def page(self, after: int, *, org_id: UUID | None = None) -> FeedPage:
        """Outcomes above a position, oldest first."""
        ...

    def pages(self, after: int) -> AsyncIterator[FeedPage]:
        """Page by page up to the head of the first."""
        ...


class Feed:
    """One tool-sync. ``token`` returns the bearer token at the time of the call, so that a renewed one is used at once.

    ``transport`` is the seam for tests. Close it with :meth:`close` or use it as an async context manager.
    """

    def __init__(
        self, base_url: str, token: Callable[[], str], *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._token = token
        self._http = httpx.AsyncClient(
            base_url=base_url.rstrip("/"),
            timeout=TIMEOUT_SECONDS,
            follow_redirects=False,
            trust_env=False,
            transport=transport,
        )

    async def __aenter__(self) -> "Feed":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def page(
        self, after: int, *, org_id: UUID | None = None, limit: int = PAGE_EVENTS, wait_seconds: int = 0
    ) -> FeedPage:
        """Outcomes above position ``after``, oldest first; waits up to ``wait_seconds`` where there is none yet.

        Raises :class:`FeedUnavailable`.
        """
        query: dict[str, str] = {"after": str(after), "limit": str(limit)}
        if org_id is not None:
            query["org"] = str(org_id)
        if wait_seconds:
            query["wait"] = str(wait_seconds)
        body = await self._get("/v1/events", query)
        try:
            log_id = UUID(body["log_id"])
            scanned_through, head, items = int(body["scanned_through"]), int(body["head"]), list(body["events"])
        except (KeyError, TypeError, ValueError) as error:
            raise FeedUnavailable(f"the answer is not as promised: {type(error).__name__}") from None
        return FeedPage(log_id, tuple(from_feed(item, log_id) for item in items), scanned_through, head)

    async def pages(self, after: int, *, org_id: UUID | None = None) -> AsyncIterator[FeedPage]:
        """Page by page up to the head as the first page names it. Raises as :meth:`page` does."""
        goal: int | None = None
        while goal is None or after < goal:
            page = await self.page(after, org_id=org_id)
            goal = page.head if goal is None else goal
            if page.scanned_through <= after < goal:
                raise FeedUnavailable(f"the feed stands still at {after}, below its head {goal}")
            after = page.scanned_through
            yield page

    async def _get(self, path: str, query: dict[str, str]) -> Any:
        try:
            response = await self._http.get(path, params=query, headers={"authorization": f"Bearer {self._token()}"})
        except httpx.HTTPError as error:
            raise FeedUnavailable(type(error).__name__) from error
        if response.status_code != httpx.codes.OK:
            raise FeedUnavailable(f"status {response.status_code}")
        try:
            return from_json(response.content)
        except ValueError:
            raise FeedUnavailable("the answer is not JSON") from None
