"""``/v1/tools``: check, publish and compare versions of a tool, order it, halt it; as the platform.

The body of a tool is its file, as JSON. Not as TOML: the standard library reads 80,000 bytes of a dotted key for more
than a minute, and nobody else would be answered meanwhile.
"""

import asyncio
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from tool_sync.domain.events import BlueprintPublished
from tool_sync.http.access import PlatformCaller, actor_of, reading
from tool_sync.http.body import read_body, read_model
from tool_sync.http.commands import (
    READ_ANSWERS,
    REASON,
    WRITE_ANSWERS,
    Command,
    ToolName,
    VersionNumber,
    installed,
    require_tool,
    takes,
    unless_refused,
    writing,
)
from tool_sync.http.orders import OrderBody, stages_asked
from tool_sync.http.problems import Problem, encodable
from tool_sync.http.rollouts import order_of
from tool_sync.http.state import state_of
from tool_sync.http.tool_commands import Halted, fleet_with, halt, resume, set_policy, withdraw
from tool_sync.publishing.difference import changed_words, unified
from tool_sync.publishing.lint import LintReport, lint
from tool_sync.publishing.lint_problem import LintProblem
from tool_sync.publishing.resolving import resolve
from tool_sync.publishing.tool_file import BYTES_MAX, FileReading, ToolFile, read_tool
from tool_sync.queries.as_of import fleet_of
from tool_sync.rollouts import operating, publish
from tool_sync.rollouts.applying import PlanChanged, apply_plan, plan_order
from tool_sync.rollouts.catalogue import ShownTool, ShownVersion, tool_shown, version_shown
from tool_sync.rollouts.status import RolloutStatus, status_of
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.auth import Platform
from zerotouch_platform.openapi import documented_object

_FILE: Final = {
    "name": "bookClinicAppointment",
    "contract": 2,
    "description": "Books an appointment at this clinic, once the caller has agreed to a day and a time.",
    "messages": [{"type": "request-start", "content": "One moment, I am looking for a free time."}],
    "note": "Callers hear that it is looking.",
}
_ANY_FILE: Final = documented_object(
    {"title": "UncheckedTool", "type": "object", "description": "As it will be checked, whatever is in it."}, _FILE
)

_ORDER: Final = takes(OrderBody, REASON | {"stages": "careful"})

router = APIRouter(prefix="/v1/tools", tags=["tools"], responses=READ_ANSWERS)


class ToolDocument(BaseModel):
    """A tool, as the keys of its file; `POST /v1/tools/lint` says all that is wrong with one."""

    model_config = ConfigDict(extra="forbid")

    name: str
    contract: int
    description: str
    parameters: dict[str, Any] = {}
    is_async: bool = Field(default=False, alias="async")
    timeout_seconds: int = 20
    tier: str = "basic"
    server_url: str = ""
    messages: list[dict[str, Any]] = []
    static_parameters: dict[str, Any] = {}
    open: list[str] = []
    note: str = ""


class DriftBody(Command):
    """What becomes of words that somebody changes at Vapi."""

    policy: Literal["repair", "report"]


@dataclass(frozen=True, slots=True)
class ToolList:
    """Every tool that was published."""

    tools: tuple[ShownTool, ...]


@dataclass(frozen=True, slots=True)
class Linted:
    """What keeps a tool from being published, and what its writer should know beside it."""

    problems: tuple[LintProblem, ...]
    warnings: tuple[LintProblem, ...]


@dataclass(frozen=True, slots=True)
class PublishedTool:
    """The version that a file became. No clinic has it before a rollout."""

    name: str
    version: int
    definition_hash: str
    warnings: tuple[LintProblem, ...]


@dataclass(frozen=True, slots=True)
class VersionDifference:
    """``words``: a line for each value that differs; ``diff``: all that is registered, as a unified diff."""

    tool: str
    old: int
    new: int
    words: tuple[str, ...]
    diff: tuple[str, ...]


@router.get("", summary="List the tools and their versions")
async def list_tools(request: Request, _caller: PlatformCaller) -> ToolList:
    """By name, each with what is ordered for everybody, its open rollout, and whether it is halted."""
    async with reading(state_of(request), None) as connection:
        fleet = await fleet_of(connection)
    return ToolList(tuple(tool_shown(fleet, name) for name in sorted(fleet.names)))


@router.post("/lint", summary="Check a tool", responses=WRITE_ANSWERS, openapi_extra=_ANY_FILE)
async def lint_tool(request: Request, _caller: PlatformCaller) -> Linted:
    """Everything that is wrong with it, at once. Nothing is sent to Vapi, and nothing is written."""
    _, report = await _linted(request)
    return report


@router.post("", status_code=201, summary="Publish a tool", **takes(ToolDocument, _FILE))
async def publish_tool(request: Request, response: Response, caller: PlatformCaller) -> PublishedTool:
    """As its next version, which no clinic gets before a rollout. 422 with all `problems`; 409: the newest says the
    same."""
    found, report = await _linted(request)
    if report.problems or found.tool is None:
        problems = [asdict(one) for one in report.problems]
        raise Problem(422, ErrorCode.INVALID_REQUEST, f"{len(problems)} problem(s)", problems=problems)
    done = await publish_linted(request, caller, found.tool)
    response.headers["Location"] = f"/v1/tools/{done.name}/versions/{done.version}"
    return PublishedTool(done.name, done.version, done.definition_hash, report.warnings)


@router.get("/{tool}", summary="Show a tool and its versions")
async def show_tool(request: Request, tool: ToolName, _caller: PlatformCaller) -> ShownTool:
    """Without the documents: ask for a version."""
    return tool_shown(await fleet_with(request, tool), tool)


@router.get("/{tool}/versions/{version}", summary="Show what is registered for a version")
async def show_version(
    request: Request, tool: ToolName, version: VersionNumber, _caller: PlatformCaller
) -> ShownVersion:
    """Its document is the body of `POST /tool`, with the nil UUID in the organization's place."""
    return version_shown(await fleet_with(request, tool, version), tool, version)


@router.get("/{tool}/diff", summary="Compare two versions of a tool")
async def show_difference(
    request: Request,
    tool: ToolName,
    _caller: PlatformCaller,
    old: Annotated[int, Query(ge=1, le=2**31 - 1)],
    new: Annotated[int, Query(ge=1, le=2**31 - 1)],
) -> VersionDifference:
    """First the words that changed, then all that is registered."""
    fleet = await fleet_with(request, tool, old)
    require_tool(fleet, tool, new)
    was, now = (fleet.versions[tool][number].document for number in (old, new))
    words = tuple(changed_words(was, now))
    return VersionDifference(tool, old, new, words, tuple(unified(was, now, (f"{tool}@{old}", f"{tool}@{new}"))))


@router.post("/{tool}/versions/{version}/withdraw", summary="Withdraw a version", **takes(Command))
async def withdraw_version(
    request: Request, tool: ToolName, version: VersionNumber, caller: PlatformCaller
) -> ShownVersion:
    """No rollout can give it any more. 409 where one that stands gives it, or clinics are pinned to it."""
    why = (await read_model(request, Command)).reason
    return version_shown(await withdraw(request, caller, tool, version, why), tool, version)


@router.post("/{tool}/halt", summary="Take a tool from every assistant", **takes(Command))
async def halt_tool(request: Request, tool: ToolName, caller: PlatformCaller) -> Halted:
    """Of every clinic, ahead of all bulk work, until it is resumed."""
    return await halt(request, caller, tool, (await read_model(request, Command)).reason)


@router.post("/{tool}/resume", summary="End a halt", **takes(Command))
async def resume_tool(request: Request, tool: ToolName, caller: PlatformCaller) -> ShownTool:
    """Every clinic gets what is ordered again."""
    return tool_shown(await resume(request, caller, tool, (await read_model(request, Command)).reason), tool)


@router.put("/{tool}/drift", summary="Say what becomes of drift", **takes(DriftBody, REASON | {"policy": "report"}))
async def set_drift_policy(request: Request, tool: ToolName, caller: PlatformCaller) -> ShownTool:
    """`repair`: words of the tool that somebody changes at Vapi are put right. `report`: they are noted and left.

    What keeps callers from booking, such as another server or a deleted tool, is put right in any case.
    """
    body = await read_model(request, DriftBody)
    return tool_shown(await set_policy(request, caller, tool, body.policy, body.reason), tool)


@router.post("/{tool}/enable", status_code=201, summary="Order a tool for every clinic", **_ORDER)
async def enable_tool(request: Request, tool: ToolName, caller: PlatformCaller) -> RolloutStatus:
    """Plan a rollout of its newest version that was not withdrawn, and start it at once."""
    newest = unless_refused(publish.newest_usable(await fleet_with(request, tool), tool))
    return await _order(request, caller, tool, newest)


@router.post("/{tool}/disable", status_code=201, summary="Order a tool for nobody", **_ORDER)
async def disable_tool(request: Request, tool: ToolName, caller: PlatformCaller) -> RolloutStatus:
    """In stages: it is unlinked, and deleted after its grace. `halt` is at once."""
    await fleet_with(request, tool)
    return await _order(request, caller, tool, None)


async def publish_linted(
    request: Request, caller: Platform, tool: ToolFile, reason: str | None = None
) -> BlueprintPublished:
    """The version that a tool without problems became. Raises a 409 problem where the newest says the same."""
    url, credential_id = (with_it := installed(request)).server_url, with_it.credential_id
    async with writing(request) as (connection, log):
        return unless_refused(
            await operating.publish_tool(
                connection, log, tool, url, credential_id, actor=actor_of(caller), reason=reason
            )
        )


async def linted(request: Request, content: bytes, where: str, *, is_toml: bool) -> tuple[FileReading, LintReport]:
    """A tool's file and what is wrong with it."""
    # In a thread: each of thousands of unknown keys is told its nearest one.
    found = await asyncio.to_thread(read_tool, content, where, is_toml=is_toml)
    return found, await lint(found, resolve, loopback_allowed=installed(request).loopback_allowed)


async def _linted(request: Request) -> tuple[FileReading, Linted]:
    """The body and what is wrong with it, as an answer can say that."""
    found, report = await linted(request, await read_body(request, BYTES_MAX), "the body", is_toml=False)
    return found, Linted(*(tuple(map(_encodable, some)) for some in (report.problems, report.warnings)))


def _encodable(one: LintProblem) -> LintProblem:
    return LintProblem(encodable(one.where), encodable(one.what), encodable(one.instead))


async def _order(request: Request, caller: Platform, tool: str, version: int | None) -> RolloutStatus:
    body = await read_model(request, OrderBody, BYTES_MAX)
    stages, actor = stages_asked(body), actor_of(caller)
    async with writing(request) as (connection, log):
        planned = unless_refused(await plan_order(connection, log, tool, version, stages, actor=actor))
        rollout_id = planned.order.rollout_id
        done = unless_refused(
            await apply_plan(connection, log, rollout_id, reason=body.reason, digest=planned.digest, actor=actor)
        )
        if isinstance(done, PlanChanged):
            raise Problem(409, ErrorCode.INVALID_REQUEST, "clinics have changed meanwhile: ask again")
        fleet = await fleet_of(connection)
        return await status_of(connection, fleet, order_of(fleet, rollout_id))
