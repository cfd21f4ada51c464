"""``GET /v1/events/stream``: the feed as server-sent events, for as long as the reader stays.

The id of an event is its position, so that a browser's ``EventSource`` goes on by itself where it was
(``Last-Event-ID``). Heartbeats move the id too: a reader with a filter need not look again at what it left out.
"""

import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header
from fastapi.responses import StreamingResponse

from tool_sync.http.feed import LIMIT_MAX, After, feed_router
from tool_sync.http.feed_reader import FeedReader, OutcomesReader
from tool_sync.http.problems import Problem
from tool_sync.log.read import POSITION_MAX
from tool_sync.outcomes.feed import document_of
from tool_sync.outcomes.pages import PublishedPage
from zerotouch_platform.auth import TokenRefused
from zerotouch_platform.limits.metered import Metered, spent_now

HEARTBEAT_SECONDS: Final = 10.0
STREAM_SECONDS_MAX: Final = 15 * 60.0
"""Then the reader must come again, with a token that is still good."""
RETRY_MILLISECONDS: Final = 1000

_RETRY: Final = b"retry: %d\n\n" % RETRY_MILLISECONDS
LastEventId = Annotated[
    int | None, Header(ge=0, le=POSITION_MAX, description="A position; takes precedence over `after`.")
]


def serve_stream(router: APIRouter, reader: Any, *, name: str, summary: str, description: str) -> None:
    """Serve a topic as it happens; ``reader`` is what gives the reader of a request."""

    @router.get(
        "/stream",
        name=name,
        summary=summary,
        description=description,
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {}}}},
    )
    async def get_stream(
        reader: Annotated[FeedReader, reader], after: After = 0, last_event_id: LastEventId = None
    ) -> StreamingResponse:
        start = after if last_event_id is None else last_event_id
        first, _ = await reader.page(start, LIMIT_MAX)  # what cannot be answered is a problem, not a broken stream
        return StreamingResponse(
            _events(reader, first),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )


router = feed_router("/v1/events")
serve_stream(
    router,
    OutcomesReader,
    name="get_stream",
    summary="Stream what is published, as it happens",
    description="""\
Server-sent events: `id` is the position, `data` the CloudEvent in one line.

First everything above the position, then what happens, until the reader leaves, the service stops or 15 minutes
are over; `EventSource` then comes again by itself. A comment every 10 s shows that the connection lives.""",
)


async def _events(reader: FeedReader, page: PublishedPage) -> AsyncIterator[bytes]:
    until, spent = time.monotonic() + STREAM_SECONDS_MAX, spent_now.get()
    yield _RETRY
    try:
        while True:
            if page.events:
                yield "".join([_event(one.position, document_of(one, reader.log_id)) for one in page.events]).encode()
            left = until - time.monotonic()
            if left <= 0 or reader.tail.stopping:
                return
            # A full page, or one that ended at its limit of looking: there is more.
            if not page.is_final and not await reader.wait(page.scanned_through, min(HEARTBEAT_SECONDS, left)):
                if reader.tail.stopping:
                    return
                yield b": alive\nid: %d\n\n" % page.scanned_through
            # In a task of its own, so that only this says what it costs.
            page, _ = await Metered(reader.page(page.scanned_through, LIMIT_MAX), spent)
    except (Problem, TokenRefused) as problem:  # the status line is gone; the reader comes again and is told
        yield b": ends: %b\n\n" % str(problem).replace("\n", " ").encode()


def _event(position: int, document: str) -> str:
    return f"id: {position}\ndata: {document}\n\n"
