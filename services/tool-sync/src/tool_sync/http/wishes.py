"""What the routes share by which somebody sets a thing of an organization: a tool's setting, a pin, a change window.

Each has an ETag, the position of the event that made it. Without If-Match the last writer wins, as all are asked for
the whole; with it a writer that has not seen the newest one is refused.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Final, TypeVar
from uuid import UUID

from fastapi import Header, Request, Response
from opentelemetry.trace import get_current_span

from tool_sync import db
from tool_sync.domain.events import OrgEvent
from tool_sync.domain.fleet.rollout import Refused
from tool_sync.domain.tool_setting import NoSuchOrg, NoSuchTool, OrgIsClosed, SettingMoved, SettingRefusal
from tool_sync.http.access import actor_of
from tool_sync.http.body import invalid, reason_problems
from tool_sync.http.problems import Problem
from tool_sync.http.state import ready, state_of
from tool_sync.intake.wishes import AlreadySo, Contended, Wisher, WishStored
from tool_sync.log import AppendRejected, EventLog, LogUnavailable, UnknownEvent
from tool_sync.queries.explain_tool import UnknownTool
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.auth import Caller
from zerotouch_platform.openapi import Answers
from zerotouch_platform.traceparent import traceparent_of

_ETAG: Final = re.compile(r'"(\d{1,19})"')

IfMatch = Annotated[str | None, Header(description="Only if it still has this ETag.")]
E = TypeVar("E", bound=OrgEvent)


def write_answers(shown: type, noun: str, stored: str) -> Answers:
    """The answers of a route that writes, for OpenAPI. ``stored`` says what a 202 means."""
    return {
        202: {"model": shown, "description": stored},
        409: {"description": "The organization was deleted."},
        412: {"description": f"The {noun} is another one than If-Match names."},
    }


def seen_of(if_match: str | None) -> int | None:
    """The position that ``If-Match`` names; None where it is not sent."""
    if if_match is None:
        return None
    if (found := _ETAG.fullmatch(if_match.strip())) is None:
        raise Problem(422, ErrorCode.INVALID_REQUEST, 'If-Match: is not an ETag of this resource, such as "17"')
    return int(found[1])


def require_reason(reason: str | None) -> None:
    """Raises a 422 problem where a reason is none that may be kept."""
    if problems := reason_problems(reason):
        raise invalid(problems)


@asynccontextmanager
async def storing(request: Request, caller: Caller, noun: str) -> AsyncIterator[tuple[EventLog, Wisher]]:
    """The log, and who wishes; what goes wrong with storing the ``noun`` becomes a problem."""
    log = ready(state_of(request).log)
    try:
        yield log, Wisher(actor_of(caller), traceparent_of(get_current_span()))
    except (LogUnavailable, UnknownEvent, Contended, *db.WAITED_OUT_ERRORS) as error:
        detail = f"whether the {noun} was stored is not known; send the same request again: it is stored once"
        raise Problem(503, ErrorCode.NOT_READY, detail) from error
    except AppendRejected as error:
        raise Problem(422, ErrorCode.INVALID_REQUEST, f"the {noun} cannot be stored") from error


def fulfilled(
    written: WishStored[E] | AlreadySo | SettingRefusal | Refused, noun: str, tool: str = ""
) -> WishStored[E] | AlreadySo:
    """What became of a wish. Raises a problem, or `UnknownTool`, where it was refused."""
    match written:
        case WishStored() | AlreadySo():
            return written
        case NoSuchOrg():
            raise Problem(404, ErrorCode.NOT_FOUND)
        case OrgIsClosed():
            raise Problem(409, ErrorCode.INVALID_REQUEST, "the organization was deleted; nothing is set for it")
        case NoSuchTool(known=known):
            raise UnknownTool(tool, known)
        case SettingMoved(position=position):
            detail = f'the {noun} is at "{position}", which is not what If-Match names; read it again'
            raise Problem(412, ErrorCode.INVALID_REQUEST, detail)
        case Refused(why=why):
            raise Problem(422, ErrorCode.INVALID_REQUEST, why)


def mark(response: Response, position: int) -> None:
    """Give an answer its ETag; nobody may keep it."""
    response.headers["ETag"] = f'"{position}"'
    response.headers["Cache-Control"] = "no-store"


def watch_of(org_id: UUID, tool: str) -> str:
    """Where it is said what became of it."""
    return f"/v1/orgs/{org_id}/tools/{tool}/why"
