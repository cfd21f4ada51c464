"""tool-sync's HTTP feeds, ``GET /v1/events`` and ``GET /v1/fleet/events`` (their promises: contracts/README.md)."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Generic, Protocol, Self, TypeVar
from uuid import UUID

import httpx
from pydantic_core import from_json

from zerotouch_contracts.subscriber.delivery import Delivered, Enveloped, FleetDelivered, from_feed, from_fleet_feed
from zerotouch_contracts.subscriber.errors import FeedUnavailable
from zerotouch_contracts.subscriber.unknown import Unknown

PAGE_EVENTS: Final = 1000
TIMEOUT_SECONDS: Final = 30.0


D = TypeVar("D", bound=Enveloped[Any])
D_co = TypeVar("D_co", bound=Enveloped[Any], covariant=True)


@dataclass(frozen=True, slots=True)
class PageOf(Generic[D_co]):
    """``scanned_through`` is where to go on; ``head`` the newest position of the log at the time."""

    log_id: UUID
    events: tuple[D_co | Unknown, ...]
    scanned_through: int
    head: int


FeedPage = PageOf[Delivered]
FleetPage = PageOf[FleetDelivered]


class Pages(Protocol[D_co]):
    """What a subscriber asks of a feed; :class:`Feed` over HTTP, ``testing.MemoryFeed`` in tests."""

    async def page(self, after: int, *, org_id: UUID | None = None) -> PageOf[D_co]:
        """Messages above a position, oldest first."""
        ...

    def pages(self, after: int) -> AsyncIterator[PageOf[D_co]]:
        """Page by page up to the head of the first."""
        ...


OutcomePages = Pages[Delivered]
FleetPages = Pages[FleetDelivered]


class _HttpFeed(Generic[D]):
    """A feed at one path, whose items are read by ``_item``."""

    _path: ClassVar[str]
    _item: Callable[[Mapping[str, Any], UUID], D | Unknown]

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

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def page(
        self, after: int, *, org_id: UUID | None = None, limit: int = PAGE_EVENTS, wait_seconds: int = 0
    ) -> PageOf[D]:
        """Messages above position ``after``, oldest first; waits up to ``wait_seconds`` where there is none yet.

        Raises :class:`FeedUnavailable`.
        """
        query: dict[str, str] = {"after": str(after), "limit": str(limit)}
        if org_id is not None:
            query["org"] = str(org_id)
        if wait_seconds:
            query["wait"] = str(wait_seconds)
        body = await self._get(self._path, query)
        try:
            log_id = UUID(body["log_id"])
            scanned_through, head, items = int(body["scanned_through"]), int(body["head"]), list(body["events"])
        except (KeyError, TypeError, ValueError) as error:
            raise FeedUnavailable(f"the answer is not as promised: {type(error).__name__}") from None
        return PageOf(log_id, tuple(self._item(item, log_id) for item in items), scanned_through, head)

    async def pages(self, after: int, *, org_id: UUID | None = None) -> AsyncIterator[PageOf[D]]:
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


class Feed(_HttpFeed[Delivered]):
    """The outcomes of one tool-sync.

    ``token`` returns the bearer token at the time of the call, so that a renewed one is used at once. ``transport`` is
    the seam for tests. Close it with :meth:`close` or use it as an async context manager.
    """

    _path = "/v1/events"
    _item = staticmethod(from_feed)


class FleetFeed(_HttpFeed[FleetDelivered]):
    """What becomes of tools and rollouts, of one tool-sync; as :class:`Feed` in all else."""

    _path = "/v1/fleet/events"
    _item = staticmethod(from_fleet_feed)
