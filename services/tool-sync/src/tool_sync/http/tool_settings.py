"""``…/tools/TOOL/settings``: a clinic, or the platform for it, switches one tool off and on.

How it is written, and its ETag: :mod:`.wishes`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response

from tool_sync.domain.events import ToolCustomized, ToolSettingChanged
from tool_sync.domain.fleet import Version
from tool_sync.domain.overlay import CustomState
from tool_sync.domain.tool_setting import SettingBasis, SettingEvent, SettingWish
from tool_sync.domain.wanted import version_given
from tool_sync.http.access import AnyCaller, reading
from tool_sync.http.body import ReasonAsked, read_object
from tool_sync.http.explain import moment_of
from tool_sync.http.problems import Problem
from tool_sync.http.routes import ReadableOrg
from tool_sync.http.setting_body import SettingBody, setting_of_body, words_of_body
from tool_sync.http.state import ready, state_of
from tool_sync.http.wishes import (
    IfMatch,
    fulfilled,
    mark,
    require_reason,
    seen_of,
    storing,
    watch_of,
    write_answers,
)
from tool_sync.intake.tool_settings import keep_texts, set_tool, setting_basis
from tool_sync.intake.wishes import AlreadySo, WishStored
from tool_sync.publishing.custom_config import parts_of
from tool_sync.publishing.overlay import Texts, part_of
from tool_sync.queries.explain_tool import UnknownTool, custom_states
from tool_sync.queries.tool_settings import ToolSetting, setting_of
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.auth import Caller
from zerotouch_platform.openapi import documented

BODY_BYTES_MAX: Final = 64 * 1024
"""Messages may be 20 of 1,000 characters."""


@dataclass(frozen=True, slots=True)
class SettingShown:
    """The setting of one tool of an organization.

    ``enabled`` null: nothing is set, or the setting was taken back; the tool is as the blueprint says. The other fields
    say who said so, when and why, and are null where nobody ever did. ``custom_state``: what becomes of the clinic's
    words, part by part, under its version of the tool. ``watch`` answers what became of the setting.
    """

    org_id: UUID
    tool: str
    enabled: bool | None
    custom_config: Mapping[str, Any]
    custom_state: tuple[CustomState, ...]
    changed_at: datetime | None
    actor: str | None
    reason: str | None
    position: int
    watch: str


_NOUN: Final = "setting"
_WRITE_ANSWERS: Final = write_answers(SettingShown, _NOUN, "It was stored just now, and the assistants follow.")

router = APIRouter(prefix="/v1/orgs/{org_id}/tools/{tool}", tags=["organizations"])

ToolName = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


@router.get("/settings", summary="Show what an organization has set for a tool")
async def get_settings(request: Request, response: Response, org_id: ReadableOrg, tool: ToolName) -> SettingShown:
    """The setting, with its ETag; also where nothing is set."""
    async with reading(state_of(request), org_id) as connection:
        _, basis = await setting_basis(connection, org_id, tool)
        setting = await setting_of(connection, org_id, tool)
    words = await _words(request, org_id, tool, setting)
    if not basis.is_known:
        raise Problem(404, ErrorCode.NOT_FOUND)
    if setting is None and tool not in basis.tools:
        raise UnknownTool(tool, basis.tools)
    return _answer(response, org_id, tool, setting, words)


@router.put(
    "/settings",
    summary="Switch a tool of an organization off or on",
    responses=_WRITE_ANSWERS,
    openapi_extra=documented(SettingBody, {"enabled": False, "reason": "the practice is closed in August"}),
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
    keeps its id. Other words of the clinic's own: its tool is updated in place. The same request may be sent again
    after any failure.
    """
    sent = await read_object(request, BODY_BYTES_MAX)
    version = await _version(request, org_id, tool) if words_of_body(sent) else None
    body = setting_of_body(sent, version)
    config = None if body.custom_config is None else parts_of(body.custom_config)
    words = None if config is None else {part_of(org_id, part, text): text for part, text in config.items()}
    wish = SettingWish(body.enabled, body.reason, seen_of(if_match), None if words is None else tuple(words))
    texts = {part.hash: text for part, text in (words or {}).items()}
    written = await store_setting(request, org_id, caller, tool, wish, texts)
    return await _told(request, response, org_id, tool, written)


@router.delete("/settings", summary="Take back what an organization has set for a tool", responses=_WRITE_ANSWERS)
async def delete_settings(
    request: Request,
    response: Response,
    org_id: ReadableOrg,
    caller: AnyCaller,
    tool: ToolName,
    reason: ReasonAsked = None,
    if_match: IfMatch = None,
) -> SettingShown:
    """The tool is as the blueprint says again. 202 where that is new; 200 where nothing was set."""
    require_reason(reason)
    written = await store_setting(request, org_id, caller, tool, SettingWish(None, reason, seen_of(if_match)))
    return await _told(request, response, org_id, tool, written)


async def store_setting(
    request: Request, org_id: UUID, caller: Caller, tool: str, wish: SettingWish, texts: Texts = MappingProxyType({})
) -> WishStored[SettingEvent] | AlreadySo:
    """Make the wish true for who may read the org. Raises problems and `UnknownTool` where that is refused."""
    state = state_of(request)
    pool = ready(state.pool)

    async def read() -> tuple[int, SettingBasis]:
        async with reading(state, org_id) as connection:
            return await setting_basis(connection, org_id, tool)

    async def keep() -> bool:
        return await keep_texts(pool, org_id, texts)

    async with storing(request, caller, _NOUN) as (log, wisher):
        written = await set_tool(log, read, org_id, tool, wish, wisher, keep if texts else None)
    return fulfilled(written, _NOUN, tool)


async def _told(
    request: Request, response: Response, org_id: UUID, tool: str, written: WishStored[SettingEvent] | AlreadySo
) -> SettingShown:
    if isinstance(written, WishStored):
        response.status_code = 202
        if not isinstance(written.event, ToolCustomized):
            return _answer(response, org_id, tool, _as_row(written))
    async with reading(state_of(request), org_id) as connection:
        setting = await setting_of(connection, org_id, tool)
    return _answer(response, org_id, tool, setting, await _words(request, org_id, tool, setting))


async def _version(request: Request, org_id: UUID, tool: str) -> Version | None:
    """The version by which the clinic has the tool, for its words. Raises `UnknownTool` and `BeforeFirstEvent`."""
    async with moment_of(request, org_id, None) as (_, moment):
        if tool not in moment.fleet.names:
            raise UnknownTool(tool, tuple(sorted(moment.fleet.names)))
        return version_given(moment.state, moment.fleet, org_id, tool, moment.asked_at)


async def _words(request: Request, org_id: UUID, tool: str, setting: ToolSetting | None) -> tuple[CustomState, ...]:
    if setting is None or not (setting.custom_config or setting.lost):
        return ()
    async with moment_of(request, org_id, None) as (_, moment):
        return custom_states(moment, setting)


def _as_row(written: WishStored[SettingEvent]) -> ToolSetting:
    event = written.event
    enabled = event.enabled if isinstance(event, ToolSettingChanged) else None
    return ToolSetting(event.name, enabled, {}, written.recorded_at, written.actor, event.reason, written.position)


def _answer(
    response: Response, org_id: UUID, tool: str, setting: ToolSetting | None, words: tuple[CustomState, ...] = ()
) -> SettingShown:
    mark(response, setting.position if setting else 0)
    watch = watch_of(org_id, tool)
    if setting is None:
        return SettingShown(org_id, tool, None, {}, words, None, None, None, 0, watch)
    by_whom = setting.changed_at, setting.actor, setting.reason, setting.position
    return SettingShown(org_id, tool, setting.enabled, setting.custom_config, words, *by_whom, watch)
