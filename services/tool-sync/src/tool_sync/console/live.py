"""*Live*: outcomes, and changes of tools and rollouts, as they come: the newest, and a stream of what follows.

The page costs one look at the last 20,000 positions, or at one clinic's. A stream waits at the same tail as the feed's
readers, is counted among them, and costs such a look when something came.
"""

import asyncio
import shlex
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from tool_sync.console.access import FormRefused, PageCaller
from tool_sync.console.failures import code_and_org
from tool_sync.console.pages import page, rendered
from tool_sync.console.state import reads
from tool_sync.db import Connection
from tool_sync.http.access import narrowed, reading
from tool_sync.http.feed_reader import FeedReader
from tool_sync.http.problems import Problem
from tool_sync.http.state import state_of
from tool_sync.http.stream import HEARTBEAT_SECONDS, RETRY_MILLISECONDS, STREAM_SECONDS_MAX
from tool_sync.log.head import read_head
from tool_sync.log.read import POSITION_MAX
from tool_sync.outcomes.published import OUTCOMES, STORED_BY_MESSAGE
from tool_sync.queries.display_names import Names, names_of
from tool_sync.queries.happenings import Happening, Told, newest_happenings, said_of
from zerotouch_platform.auth import Caller, TokenRefused

SHOWN: Final = 50
LOOK_SECONDS: Final = 2.0
"""Changes of tools wake nobody: they are looked for so often."""
APART_SECONDS: Final = 0.25
"""Between two looks, however much comes."""

router = APIRouter()

After = Annotated[int, Query(ge=0, le=POSITION_MAX)]
LastEventId = Annotated[int | None, Header(ge=0, le=POSITION_MAX)]


@router.get("/live")
async def get_live(
    request: Request,
    caller: PageCaller,
    org: str = "",
    type: str = "",  # noqa: A002 - in the address
    code: str = "",
) -> HTMLResponse:
    """The newest that fit, and a list that goes on where there is JavaScript."""
    told = _told(caller, org, type, code)
    async with reads(request) as connection:
        head = await read_head(connection)
    async with reads(request, told.org_id) as connection:
        found = await newest_happenings(connection, told, after=0, head=head, limit=SHOWN)
        names = await _names(connection, found)
    chosen = {"org": "" if told.org_id is None else str(told.org_id), "type": type, "code": told.code or ""}
    fields = {name: value for name, value in chosen.items() if value}
    return page(
        request,
        "live",
        caller,
        command=_command(fields),
        found=[(one, said_of(one)) for one in found],
        names=names,
        types=STORED_BY_MESSAGE,
        fields=fields,
        stream=f"/live/stream?{urlencode({**fields, 'after': head})}",
    )


@router.get("/live/stream")
async def get_stream(
    request: Request,
    caller: PageCaller,
    org: str = "",
    type: str = "",  # noqa: A002 - in the address
    code: str = "",
    after: After = 0,
    last_event_id: LastEventId = None,
) -> Response:
    """Rows of the list as server-sent events, the id of each its position."""
    told = _told(caller, org, type, code)
    reader = FeedReader.of(state_of(request), caller, [], told.org_id, OUTCOMES)
    return StreamingResponse(
        _rows(reader, told, after if last_event_id is None else last_event_id),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


def _command(fields: Mapping[str, str]) -> str:
    """The terminal knows no codes."""
    options = (f"--{name} {shlex.quote(fields[name])}" for name in ("org", "type") if name in fields)
    return " ".join(("tool-sync tail", *options))


def _told(caller: Caller, org: str, type_name: str, code: str) -> Told:
    """What a reader may see of what an address asks for. Raises :class:`FormRefused`."""
    if type_name and type_name not in STORED_BY_MESSAGE:
        raise FormRefused(f"type: one of {', '.join(STORED_BY_MESSAGE)}")
    known_code, org_id = code_and_org(code, org)
    stored = [one for name, types in STORED_BY_MESSAGE.items() if type_name in ("", name) for one in types]
    return Told(stored, narrowed(caller, org_id), known_code)


async def _rows(reader: FeedReader, told: Told, position: int) -> AsyncIterator[bytes]:
    until = time.monotonic() + STREAM_SECONDS_MAX
    said_at = time.monotonic()
    yield b"retry: %d\n\n" % RETRY_MILLISECONDS
    try:
        while (left := until - time.monotonic()) > 0 and not reader.tail.stopping:
            if reader.is_taken_back():
                return
            position, rows = await _news(reader, told, position)
            if rows or time.monotonic() - said_at >= HEARTBEAT_SECONDS:
                said_at = time.monotonic()
                yield rows or b": alive\nid: %d\n\n" % position
            await reader.wait(position, min(LOOK_SECONDS, left))
            await asyncio.sleep(APART_SECONDS)
    except (Problem, TokenRefused) as problem:  # the status line is gone; the reader comes again and is told
        yield b": ends: %b\n\n" % str(problem).replace("\n", " ").encode()


async def _news(reader: FeedReader, told: Told, position: int) -> tuple[int, bytes]:
    """Where the log stands, and the newest of what fits since then, oldest first: who was away gets no flood."""
    async with reading(reader.state, None) as connection:
        head = await read_head(connection)
    if head <= position:
        return position, b""
    async with reading(reader.state, told.org_id) as connection:
        found = await newest_happenings(connection, told, after=position, head=head, limit=SHOWN)
        names = await _names(connection, found)
    rows = [_event(one, names) for one in reversed(found)]
    return head, "".join(rows).encode()


def _event(one: Happening, names: Names) -> str:
    row = rendered("_happening.html", one=one, words=said_of(one), names=names)
    return f"id: {one.position}\ndata: {' '.join(row.split())}\n\n"


async def _names(connection: Connection, found: Sequence[Happening]) -> Names:
    orgs = {(one.org_id, agent) for one in found if one.org_id is not None for agent in (None, one.agent_id)}
    return await names_of(connection, orgs)
