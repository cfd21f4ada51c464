"""One reader of the feed: what it may see, where it stands, and its next page."""

from dataclasses import dataclass
from typing import Annotated, Final, Self
from uuid import UUID

from fastapi import Depends, Query, Request

from tool_sync.db import Pool
from tool_sync.http.access import AnyCaller, narrowed, reading
from tool_sync.http.problems import Problem
from tool_sync.http.state import HttpState, state_of
from tool_sync.log.head import read_head
from tool_sync.outcomes.feed import Tail
from tool_sync.outcomes.filters import Filter, UnknownType
from tool_sync.outcomes.pages import OutcomesPage, read_page
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.auth import Caller

READERS_WAITING_MAX: Final = 300
"""Long polls and streams together; well below the server's connections, so that health checks still get through."""


@dataclass(frozen=True, slots=True)
class FeedReader:
    """``log_id`` is this log's. One instance serves one request."""

    pool: Pool
    tail: Tail
    log_id: UUID
    wanted: Filter

    @classmethod
    def of(cls, state: HttpState, caller: Caller, types: list[str], org_id: UUID | None) -> Self:
        """The reader of a request."""
        try:
            wanted = Filter.of(types, narrowed(caller, org_id))
        except UnknownType as error:
            raise Problem(400, ErrorCode.INVALID_REQUEST, str(error)) from None
        if state.pool is None or state.tail is None or state.log_id is None:
            raise Problem(503, ErrorCode.NOT_READY)
        return cls(state.pool, state.tail, state.log_id, wanted)

    async def page(self, after: int, limit: int) -> tuple[OutcomesPage, int]:
        """The next page and the head of the log that it was read at.

        A problem where the log goes on with an event that this release cannot read: to skip it would lose it.
        """
        async with reading(self.pool, None) as connection:
            head = await read_head(connection)
        async with reading(self.pool, self.wanted.org_id) as connection:
            page = await read_page(connection, after=after, head=head, wanted=self.wanted, limit=limit)
        if page.stopped_by is not None and not page.events:
            raise Problem(503, ErrorCode.NOT_READY, f"{page.stopped_by}; a newer release can read it")
        return page, head

    async def wait(self, position: int, seconds: float) -> bool:
        """Wait for something above ``position``; False where nothing came or the process stops."""
        if self.tail.waiting >= READERS_WAITING_MAX:
            raise Problem(503, ErrorCode.NOT_READY, f"{READERS_WAITING_MAX} readers already wait; try again later")
        return await self.tail.beyond(position, self.wanted.org_id, seconds=seconds)


def _reader(
    request: Request,
    caller: AnyCaller,
    type: Annotated[  # noqa: A002 - the name in the query
        list[str], Query(description="`ToolsSynced`, `ToolSyncFailed`, `AssistantDiverged`; repeat it or use commas.")
    ] = [],  # noqa: B006 - FastAPI copies it
    org: Annotated[UUID | None, Query(description="Only this organization; an org's token reads its own.")] = None,
) -> FeedReader:
    return FeedReader.of(state_of(request), caller, type, org)


Reader = Annotated[FeedReader, Depends(_reader)]
