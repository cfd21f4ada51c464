"""*Tools*: which versions there are, how many clinics have which, what is ordered for whom; and what is done about one.

A page reads the fleet (some hundred events) and a count of what clinics have, which the process keeps.
"""

import shlex
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, Response

from tool_sync.console.access import FormRefused, PlatformPage, own_form, reason_of
from tool_sync.console.ordering import plan_and_show, stages_of
from tool_sync.console.pages import page, see_other
from tool_sync.console.state import console_of, reads
from tool_sync.domain.fleet import Fleet
from tool_sync.http.commands import ToolName, VersionNumber, require_tool, unless_refused
from tool_sync.http.problems import Problem
from tool_sync.http.tool_commands import halt, resume, withdraw
from tool_sync.publishing.difference import changed_words, json_text, unified
from tool_sync.queries.as_of import fleet_of
from tool_sync.rollouts.catalogue import version_shown
from tool_sync.rollouts.publish import newest_usable
from tool_sync.rollouts.sheet import sheet_of
from zerotouch_platform.auth import Platform

CHARACTERS_SHOWN: Final = 40_000
LINES_SHOWN: Final = 400

router = APIRouter()

Action = Literal["enable", "disable", "halt", "resume"]
VersionAction = Literal["order", "withdraw"]


@router.get("/tools")
async def get_tools(request: Request, caller: PlatformPage) -> HTMLResponse:
    """Every tool, its versions, and how many clinics have which."""
    async with reads(request) as connection:
        fleet = await fleet_of(connection)
        held = await console_of(request).held.now(connection)
    sheets = [sheet_of(fleet, held, name) for name in sorted(fleet.names)]
    return page(request, "tools", caller, command="tool-sync blueprint list", sheets=sheets, counted_at=held.at)


@router.get("/tools/{tool}")
async def get_tool(request: Request, tool: ToolName, caller: PlatformPage) -> HTMLResponse:
    """One tool, and what can be done about it."""
    return await _tool_page(request, caller, tool)


@router.get("/tools/{tool}/diff")
async def get_difference(
    request: Request,
    tool: ToolName,
    caller: PlatformPage,
    old: Annotated[int, Query(ge=1, le=2**31 - 1)],
    new: Annotated[int, Query(ge=1, le=2**31 - 1)],
) -> HTMLResponse:
    """Two versions: the words that changed, then all that is registered."""
    fleet = await _fleet(request, tool, old)
    require_tool(fleet, tool, new)
    was, now = fleet.versions[tool][old], fleet.versions[tool][new]
    words = [*changed_words(was.document, now.document), *changed_words(list(was.open), list(now.open), "open")]
    lines = list(unified(was.document, now.document, (f"{tool}@{old}", f"{tool}@{new}")))
    return page(
        request,
        "tool_diff",
        caller,
        command=f"tool-sync blueprint diff {shlex.quote(tool)} {old} {new}",
        tool=tool,
        old=old,
        new=new,
        words=[_cut(word) for word in words[:LINES_SHOWN]],
        diff=_cut("\n".join(lines[:LINES_SHOWN])),
        is_cut=max(len(words), len(lines)) > LINES_SHOWN,
    )


@router.get("/tools/{tool}/versions/{version}")
async def get_version(request: Request, tool: ToolName, version: VersionNumber, caller: PlatformPage) -> HTMLResponse:
    """What is registered for a version, and ordering or withdrawing it."""
    return await _version_page(request, caller, tool, version)


@router.post("/tools/{tool}/versions/{version}/{action}")
async def post_version(
    request: Request, tool: ToolName, version: VersionNumber, action: VersionAction, caller: PlatformPage
) -> Response:
    """Plan a rollout of a version, or withdraw it."""
    try:
        form = await own_form(request)
        if action == "order":
            to = await plan_and_show(request, caller, tool, version, stages_of(request, form))
        else:
            reason, _ = reason_of(form, caller)
            await withdraw(request, caller, tool, version, reason)
            to = f"/tools/{tool}/versions/{version}"
    except (FormRefused, Problem) as error:
        return await _version_page(request, caller, tool, version, problem=error)
    return see_other(to)


@router.post("/tools/{tool}/{action}")
async def post_tool(request: Request, tool: ToolName, action: Action, caller: PlatformPage) -> Response:
    """Halt or resume a tool; or plan to order it for everybody, or for nobody."""
    try:
        to = await _do(request, caller, tool, action, await own_form(request))
    except (FormRefused, Problem) as error:
        return await _tool_page(request, caller, tool, problem=error)
    return see_other(to)


async def _do(request: Request, caller: Platform, tool: str, action: Action, form: Mapping[str, str]) -> str:
    """The path of the page that shows what became of it."""
    if action in ("enable", "disable"):
        stages = stages_of(request, form)
        fleet = await _fleet(request, tool)
        version = unless_refused(newest_usable(fleet, tool)) if action == "enable" else None
        return await plan_and_show(request, caller, tool, version, stages)
    reason, _ = reason_of(form, caller)
    if action == "halt":
        await halt(request, caller, tool, reason)
    else:
        await resume(request, caller, tool, reason)
    return f"/tools/{tool}"


async def _tool_page(
    request: Request, caller: Platform, tool: str, problem: FormRefused | Problem | None = None
) -> HTMLResponse:
    async with reads(request) as connection:
        fleet = await fleet_of(connection)
        require_tool(fleet, tool)
        held = await console_of(request).held.now(connection)
    return page(
        request,
        "tool",
        caller,
        command=f"tool-sync blueprint show {shlex.quote(tool)}",
        problem=problem,
        sheet=sheet_of(fleet, held, tool),
        counted_at=held.at,
    )


async def _version_page(
    request: Request, caller: Platform, tool: str, version: int, problem: FormRefused | Problem | None = None
) -> HTMLResponse:
    fleet = await _fleet(request, tool, version)
    return page(
        request,
        "tool_version",
        caller,
        command=f"tool-sync blueprint show {shlex.quote(f'{tool}@{version}')}",
        problem=problem,
        shown=version_shown(fleet, tool, version),
        note=fleet.versions[tool][version].note,
        numbers=sorted(fleet.versions[tool]),
        document=_cut(json_text(fleet.versions[tool][version].document)),
    )


async def _fleet(request: Request, tool: str, version: int | None = None) -> Fleet:
    async with reads(request) as connection:
        fleet = await fleet_of(connection)
    require_tool(fleet, tool, version)
    return fleet


def _cut(text: str) -> str:
    return text if len(text) <= CHARACTERS_SHOWN else f"{text[:CHARACTERS_SHOWN]}\n… (the command below shows the rest)"
