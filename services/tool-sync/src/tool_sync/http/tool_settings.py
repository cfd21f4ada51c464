"""``…/tools/TOOL/settings``: a clinic, or the platform for it, switches one tool off and on.

A setting has an ETag, the position of the event that made it. Without If-Match the last writer wins, as both are asked
for the whole setting; with it a writer that has not seen the newest one is refused.
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Header, Path, Query, Request, Response
from opentelemetry.trace import get_current_span

from tool_sync import db
from tool_sync.domain.events import ToolSettingChanged
from tool_sync.domain.tool_setting import (
    REASON_CHARACTERS_MAX,
    NoSuchOrg,
    NoSuchTool,
    OrgIsClosed,
    SettingBasis,
    SettingMoved,
    SettingRefusal,
    SettingWish,
    reason_problem,
)
from tool_sync.http.access import AnyCaller, reading
from tool_sync.http.body import read_object
from tool_sync.http.problems import PROBLEMS, Problem
from tool_sync.http.routes import ReadableOrg
from tool_sync.http.setting_body import SettingBody, setting_of_body
from tool_sync.http.state import state_of
from tool_sync.intake.tool_settings import AlreadySo, SettingContended, SettingWritten, Wisher, set_tool, setting_basis
from tool_sync.log import AppendRejected, LogUnavailable
from tool_sync.queries.explain_tool import UnknownTool
from tool_sync.queries.tool_settings import ToolSetting, setting_of
from tool_sync.telemetry import SERVICE_VERSION
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.auth import Caller
from zerotouch_platform.traceparent import traceparent_of

SUBJECT_CHARACTERS_MAX: Final = 200
_ETAG: Final = re.compile(r'"(\d{1,19})"')


@dataclass(frozen=True, slots=True)
class SettingShown:
    """The setting of one tool of an organization.

    ``enabled`` null: nothing is set, or the setting was taken back; the tool is as the blueprint says. The other fields
    say who said so, when and why, and are null where nobody ever did. ``watch`` answers what became of it.
    """

    org_id: UUID
    tool: str
    enabled: bool | None
    custom_config: Mapping[str, Any]
    changed_at: datetime | None
    actor: str | None
    reason: str | None
    position: int
    watch: str


_WRITE_ANSWERS: Final[dict[int | str, dict[str, Any]]] = PROBLEMS | {
    202: {"model": SettingShown, "description": "It was stored just now, and the assistants follow."},
    400: {"description": "The body is not a JSON object."},
    409: {"description": "The organization was deleted."},
    412: {"description": "The setting is another one than If-Match names."},
    413: {"description": "The body is too long."},
}
_BODY: Final = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": SettingBody.model_json_schema()}}}
}

router = APIRouter(prefix="/v1/orgs/{org_id}/tools/{tool}", tags=["organizations"], responses=PROBLEMS)

ToolName = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
IfMatch = Annotated[str | None, Header(description="Only if the setting still has this ETag.")]


@router.get("/settings", summary="Show what an organization has set for a tool")
async def get_settings(request: Request, response: Response, org_id: ReadableOrg, tool: ToolName) -> SettingShown:
    """The setting, with its ETag; also where nothing is set."""
    async with reading(state_of(request).pool, org_id) as connection:
        _, basis = await setting_basis(connection, org_id, tool)
        setting = await setting_of(connection, org_id, tool)
    if not basis.is_known:
        raise Problem(404, ErrorCode.NOT_FOUND)
    if setting is None and tool not in basis.tools:
        raise UnknownTool(tool, basis.tools)
    return _answer(response, org_id, tool, setting)


@router.put(
    "/settings", summary="Switch a tool of an organization off or on", responses=_WRITE_ANSWERS, openapi_extra=_BODY
)
async def put_settings(
    request: Request,
    response: Response,
    org_id: ReadableOrg,
    caller: AnyCaller,
    tool: ToolName,
    if_match: IfMatch = None,
) -> SettingShown:
    """202 where it is new, and the assistants follow; 200 where it was so already, and nothing was written.

    Off: every assistant is unlinked at once, and the tool is deleted at Vapi after the grace. On within it, the tool
    keeps its id. The same request may be sent again after any failure.
    """
    body = setting_of_body(await read_object(request))
    wish = SettingWish(body.enabled, body.reason, _seen(if_match))
    return await _write(request, response, org_id, caller, tool, wish)


@router.delete("/settings", summary="Take back what an organization has set for a tool", responses=_WRITE_ANSWERS)
async def delete_settings(
    request: Request,
    response: Response,
    org_id: ReadableOrg,
    caller: AnyCaller,
    tool: ToolName,
    reason: Annotated[str | None, Query(max_length=REASON_CHARACTERS_MAX, description="Why, in one line.")] = None,
    if_match: IfMatch = None,
) -> SettingShown:
    """The tool is as the blueprint says again. 202 where that is new; 200 where nothing was set."""
    if reason is not None and (problem := reason_problem(reason)) is not None:
        raise Problem(422, ErrorCode.INVALID_REQUEST, f"reason: {problem}")
    return await _write(request, response, org_id, caller, tool, SettingWish(None, reason, _seen(if_match)))


async def _write(
    request: Request, response: Response, org_id: UUID, caller: Caller, tool: str, wish: SettingWish
) -> SettingShown:
    state = state_of(request)
    if state.log is None:
        raise Problem(503, ErrorCode.NOT_READY)

    async def read() -> tuple[int, SettingBasis]:
        async with reading(state.pool, org_id) as connection:
            return await setting_basis(connection, org_id, tool)

    wisher = Wisher(_actor(caller), SERVICE_VERSION, traceparent_of(get_current_span()))
    async with _unavailable_said():
        written = await set_tool(state.log, read, org_id, tool, wish, wisher)
    if isinstance(written, SettingWritten):
        response.status_code = 202
        return _answer(response, org_id, tool, _as_row(written))
    if isinstance(written, AlreadySo):
        async with reading(state.pool, org_id) as connection:
            return _answer(response, org_id, tool, await setting_of(connection, org_id, tool))
    raise _refused(written, tool)


@asynccontextmanager
async def _unavailable_said() -> AsyncIterator[None]:
    try:
        yield
    except (LogUnavailable, SettingContended, *db.TRANSIENT_ERRORS) as error:
        detail = "whether the setting was stored is not known; send the same request again: it is stored once"
        raise Problem(503, ErrorCode.NOT_READY, detail) from error
    except AppendRejected as error:
        raise Problem(422, ErrorCode.INVALID_REQUEST, "the setting cannot be stored") from error


def _refused(refusal: SettingRefusal, tool: str) -> Exception:
    match refusal:
        case NoSuchOrg():
            return Problem(404, ErrorCode.NOT_FOUND)
        case OrgIsClosed():
            return Problem(409, ErrorCode.INVALID_REQUEST, "the organization was deleted; nothing is set for it")
        case NoSuchTool(known=known):
            return UnknownTool(tool, known)
        case SettingMoved(position=position):
            detail = f'the setting is at "{position}", which is not what If-Match names; read it again'
            return Problem(412, ErrorCode.INVALID_REQUEST, detail)


def _seen(if_match: str | None) -> int | None:
    if if_match is None:
        return None
    if (found := _ETAG.fullmatch(if_match.strip())) is None:
        raise Problem(422, ErrorCode.INVALID_REQUEST, 'If-Match: is not the ETag of a setting, such as "17"')
    return int(found[1])


def _actor(caller: Caller) -> str:
    """``org:<sub>`` or ``platform:<sub>``; the subject is the signer's word, and is stored for ever."""
    subject = "".join(letter if letter.isprintable() else "?" for letter in caller.subject[:SUBJECT_CHARACTERS_MAX])
    return f"{caller.role}:{subject}"


def _as_row(written: SettingWritten) -> ToolSetting:
    event = written.event
    enabled = event.enabled if isinstance(event, ToolSettingChanged) else None
    return ToolSetting(event.name, enabled, {}, written.recorded_at, written.actor, event.reason, written.position)


def _answer(response: Response, org_id: UUID, tool: str, setting: ToolSetting | None) -> SettingShown:
    position = 0 if setting is None else setting.position
    response.headers["ETag"] = f'"{position}"'
    response.headers["Cache-Control"] = "no-store"
    return SettingShown(
        org_id,
        tool,
        setting.enabled if setting else None,
        setting.custom_config if setting else {},
        setting.changed_at if setting else None,
        setting.actor if setting else None,
        setting.reason if setting else None,
        position,
        f"/v1/orgs/{org_id}/tools/{tool}/why",
    )
