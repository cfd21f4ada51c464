"""One reader of the feed: what it may see, where it stands, and its next page."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Final, Self
from uuid import UUID

from fastapi import Depends, Query, Request

from tool_sync.http.access import AnyCaller, narrowed, reading
from tool_sync.http.problems import Problem
from tool_sync.http.state import HttpState, ready, state_of
from tool_sync.log.head import read_head
from tool_sync.outcomes.feed import Tail
from tool_sync.outcomes.filters import Filter, UnknownType
from tool_sync.outcomes.pages import PublishedPage, read_page
from tool_sync.outcomes.published import FLEET, OUTCOMES, PublishedTopic
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.auth import TAKEN_BACK, Caller, TokenRefused

READERS_WAITING_MAX: Final = 300
"""Long polls and streams together; well below the server's connections, so that health checks still get through."""


@dataclass(frozen=True, slots=True)
class FeedReader:
    """``log_id`` is this log's. One instance serves one request, which may last: ``is_taken_back`` says whether
    the token that began it was, meanwhile."""

    state: HttpState
    tail: Tail
    log_id: UUID
    wanted: Filter
    is_taken_back: Callable[[], bool]

    @classmethod
    def of(
        cls, state: HttpState, caller: Caller, types: list[str], org_id: UUID | None, published: PublishedTopic
    ) -> Self:
        """The reader of a request."""
        try:
            wanted = Filter.of(types, narrowed(caller, org_id), published)
        except UnknownType as error:
            raise Problem(400, ErrorCode.INVALID_REQUEST, str(error)) from None
        ready(state.pool)
        token_id, revoked = caller.token_id, state.verifier.revoked
        return cls(state, ready(state.tail), ready(state.log_id), wanted, lambda: revoked.holds(token_id))

    async def page(self, after: int, limit: int) -> tuple[PublishedPage, int]:
        """The next page and the head of the log that it was read at.

        A problem where the log goes on with an event that this release cannot read: to skip it would lose it. Raises
        `TokenRefused` where the token was taken back since the request began.
        """
        if self.is_taken_back():
            raise TokenRefused(TAKEN_BACK)
        async with reading(self.state, None) as connection:
            head = await read_head(connection)
        async with reading(self.state, self.wanted.org_id) as connection:
            page = await read_page(connection, after=after, head=head, wanted=self.wanted, limit=limit)
        if page.stopped_by is not None and not page.events:
            raise Problem(503, ErrorCode.NOT_READY, f"{page.stopped_by}; a newer release can read it")
        return page, head

    async def wait(self, position: int, seconds: float) -> bool:
        """Wait for something above ``position``; False where nothing came or the process stops."""
        if self.tail.waiting >= READERS_WAITING_MAX:
            raise Problem(503, ErrorCode.NOT_READY, f"{READERS_WAITING_MAX} readers already wait; try again later")
        wanted = self.wanted
        return await self.tail.beyond(position, wanted.org_id, seconds=seconds, published=wanted.published)


OnlyOrg = Annotated[UUID | None, Query(description="Only this organization; an org's token reads its own.")]


def _reader_of(published: PublishedTopic) -> Callable[..., Awaitable[FeedReader]]:
    types = ", ".join(f"`{message.__name__}`" for message in published.stored_as)
    asked = Query(description=f"{types}; repeat it or use commas.")

    async def reader(
        request: Request,
        caller: AnyCaller,
        type: Annotated[list[str], asked] = [],  # noqa: A002, B006 - the name in the query; FastAPI copies it
        org: OnlyOrg = None,
    ) -> FeedReader:
        return FeedReader.of(state_of(request), caller, type, org, published)

    return reader


OutcomesReader: Final = Depends(_reader_of(OUTCOMES))
FleetReader: Final = Depends(_reader_of(FLEET))
