"""``GET /v1/events``: what is published on the outcomes topic, by position, for readers without Kafka."""

import time
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request

from tool_sync.http.feed_reader import FeedReader, OutcomesReader
from tool_sync.http.problems import FEED_ANSWERS, Problem
from tool_sync.log.read import POSITION_MAX
from tool_sync.outcomes.feed import document_of
from tool_sync.outcomes.pages import PublishedPage
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.openapi import Answers

LIMIT_DEFAULT: Final = 100
LIMIT_MAX: Final = 1000
WAIT_SECONDS_MAX: Final = 30
FINAL_SECONDS: Final = 60
FINAL_OF_LOG_SECONDS: Final = 365 * 24 * 3600
"""How long a page that never changes may be kept; the longer one where the request names the log, as a restored log
has another id, and its readers would be answered from the cache otherwise."""


class CloudEvent(BaseModel):
    """A message of the topic, as a CloudEvent in JSON. Of `orgid` and `rolloutid` it has the one that it is about."""

    position: int
    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    time: datetime
    datacontenttype: str
    logid: UUID
    sequence: str
    orgid: UUID | None = None
    rolloutid: str | None = None
    traceparent: str | None = None
    data: dict[str, Any]


class EventPage(BaseModel):
    """What was published, by position."""

    log_id: UUID
    events: list[CloudEvent]
    scanned_through: int
    head: int


class FeedRoute(APIRoute):
    """A malformed query is a 400 here, with the places in its detail."""

    def get_route_handler(self) -> Any:
        """The handler, with the validation's error as a problem."""
        handle = super().get_route_handler()

        async def handle_or_refuse(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                wrong = "; ".join(f"{e['loc'][-1]}: {e['msg']}" for e in error.errors()[:20])
                raise Problem(400, ErrorCode.INVALID_REQUEST, wrong) from None

        return handle_or_refuse


After = Annotated[int, Query(ge=0, le=POSITION_MAX, description="Only events above this position.")]
PAGE_ANSWERS: Final[Answers] = {200: {"model": EventPage}, 304: {"description": "Nothing has changed."}}


def feed_router(prefix: str) -> APIRouter:
    """For a topic's routes."""
    return APIRouter(prefix=prefix, tags=["events"], route_class=FeedRoute, responses=FEED_ANSWERS)


def serve_pages(router: APIRouter, reader: Any, *, name: str, summary: str, description: str) -> None:
    """Serve a topic page by page; ``reader`` is what gives the reader of a request."""

    @router.get(
        "", name=name, summary=summary, description=description, response_class=Response, responses=PAGE_ANSWERS
    )
    async def get_page(
        request: Request,
        reader: Annotated[FeedReader, reader],
        after: After = 0,
        limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT,
        wait: Annotated[
            float, Query(ge=0, le=WAIT_SECONDS_MAX, description="Seconds to wait if there is nothing yet.")
        ] = 0,
        log_id: Annotated[UUID | None, Query(description="The log that `after` belongs to.")] = None,
        if_none_match: Annotated[str | None, Header(include_in_schema=False)] = None,
    ) -> Response:
        if log_id is not None and log_id != reader.log_id:
            rewritten = f"this log is {reader.log_id}, not {log_id}: history was rewritten; rebuild from after=0"
            raise Problem(409, ErrorCode.INVALID_REQUEST, rewritten)
        page, head = await _next(reader, after, limit, wait)
        headers = _caching(reader, after, limit, page, named=log_id is not None)
        if page.is_final:
            headers["Link"] = f'<{_after(request, page.scanned_through)}>; rel="next"'
        if page.is_final and _matches(if_none_match, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        return Response(_body(reader.log_id, page, head), headers=headers, media_type="application/json")


router = feed_router("/v1/events")
serve_pages(
    router,
    OutcomesReader,
    name="get_events",
    summary="List what was published, page by page",
    description="""\
The same events as on the outcomes topic, as CloudEvents, in the order of their positions.

Go on with `scanned_through` as `after`: with a filter it moves past what was left out. A page that can never change
may be kept; an empty one at the end of the log is asked for again, with `wait` without polling. Deliver at least
once: ignore a `sequence` that was seen. Another `log_id` than before means that history was rewritten: rebuild.

Where more is there already, the header `Link` names the next page (RFC 8288), so that it can be asked for before
this one is decoded.""",
)


async def _next(reader: FeedReader, after: int, limit: int, wait_seconds: float) -> tuple[PublishedPage, int]:
    until = time.monotonic() + wait_seconds
    position = after
    while True:
        page, head = await reader.page(position, limit)
        if page.events or page.stopped_by is not None:
            return page, head
        left = until - time.monotonic()
        if left <= 0:
            return page, head
        position = page.scanned_through
        if position >= head and not await reader.wait(position, left):
            until = 0  # a last look, for how far it may go on


def _after(request: Request, position: int) -> str:
    """The same question above a position; relative, as a proxy may stand before us."""
    next_page = request.url.include_query_params(after=position)
    return f"{next_page.path}?{next_page.query}"


def _body(log_id: UUID, page: PublishedPage, head: int) -> bytes:
    events = ",".join([document_of(event, log_id) for event in page.events])
    place = f'"scanned_through":{page.scanned_through},"head":{head}'
    return f'{{"log_id":"{log_id}",{place},"events":[{events}]}}'.encode()


def _caching(reader: FeedReader, after: int, limit: int, page: PublishedPage, *, named: bool) -> dict[str, str]:
    if not page.is_final:
        return {"Cache-Control": "no-store", "Vary": "Authorization"}
    question = (reader.log_id, reader.wanted, after, limit, page.scanned_through)
    seconds = FINAL_OF_LOG_SECONDS if named else FINAL_SECONDS
    return {
        # Weak: of two answers only `head` differs.
        "ETag": f'W/"{sha256(repr(question).encode()).hexdigest()[:32]}"',
        "Cache-Control": f"private, max-age={seconds}" + (", immutable" if named else ""),
        "Vary": "Authorization",
    }


def _matches(if_none_match: str | None, etag: str) -> bool:
    known = {tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")}
    return bool(known & {"*", etag.removeprefix("W/")})
