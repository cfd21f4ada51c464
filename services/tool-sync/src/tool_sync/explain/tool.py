"""Why an org has a tool, or lacks it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from tool_sync.db import Connection
from tool_sync.domain.events import RetireReason
from tool_sync.domain.toolset import Retired, Toolset, tool_subject
from tool_sync.domain.wanted import WantedTool, unwanted_for, wanted_for
from tool_sync.explain.moment import Moment, age_seconds, unknown_since
from tool_sync.explain.outlook import Outlook, outlook_of, work_of
from tool_sync.explain.story import Told, story_of_tool
from tool_sync.explain.surplus import SurplusTool, surplus_of

ToolCondition = Literal["registered", "outdated", "retired", "unknown", "failed", "missing", "unwanted"]


@dataclass(frozen=True, slots=True)
class RetiredTool:
    """A tool at Vapi that goes after ``delete_at``, if no assistant links it. ``doomed``: a deletion may still land."""

    vapi_tool_id: str
    reason: RetireReason
    delete_at: datetime
    doomed: bool


@dataclass(frozen=True, slots=True)
class ToolExplained:
    """``rule`` says why it is wanted or not. ``unknown_since``: a write to Vapi that has no answer yet.

    ``condition``: registered as wanted; registered from another definition; not wanted any more and waiting for its
    deletion; its write has no answer; the last try failed; not there yet; not wanted and not there. ``surplus`` are
    further tools of this name at Vapi that the sweep deletes. ``outlook`` is null where a time in the past was asked
    for; ``unknown_seconds`` is the age at that time.
    """

    org_id: UUID
    tool: str
    as_of_position: int
    as_of: datetime
    wanted: bool
    rule: str
    condition: ToolCondition
    vapi_tool_id: str | None
    definition_version: int | None
    retired: RetiredTool | None
    surplus: tuple[SurplusTool, ...]
    unknown_since: datetime | None
    unknown_seconds: float | None
    failure_code: str | None
    failures: int
    retry_at: datetime | None
    outlook: Outlook | None
    events: tuple[Told, ...]


async def explain_tool(connection: Connection, moment: Moment, name: str) -> ToolExplained:
    """The tool at that moment. A name that nobody knows is simply not wanted."""
    state = moment.state
    wanted = _wanted(state, name, moment.blueprint)
    retired = state.retired.get(name)
    ref = state.tools.get(name) or (retired.ref if retired else None)
    failure = state.failures.get(tool_subject(name))
    unknown = unknown_since(state, tool_subject(name))
    condition = _condition(state, name, wanted, unknown=unknown is not None)
    outlook = None
    if moment.is_now:
        outlook = outlook_of(
            await work_of(connection, moment.org_id),
            retry_at=failure.retry_at if failure else None,
            is_open=condition in ("missing", "outdated") or (condition == "retired" and wanted is not None),
            is_unknown=unknown is not None,
            is_final=failure is not None and failure.retry_at is None,
            delete_at=retired.delete_at if retired and wanted is None else None,
        )
    return ToolExplained(
        org_id=moment.org_id,
        tool=name,
        as_of_position=moment.position,
        as_of=moment.at,
        wanted=wanted is not None,
        rule=_rule(state, name, moment.blueprint),
        condition=condition,
        vapi_tool_id=ref.vapi_tool_id if ref else None,
        definition_version=ref.definition_version if ref else None,
        retired=_retired(retired) if retired else None,
        surplus=surplus_of(moment, name),
        unknown_since=unknown,
        unknown_seconds=age_seconds(moment, unknown),
        failure_code=failure.code if failure else None,
        failures=failure.count if failure else 0,
        retry_at=failure.retry_at if failure else None,
        outlook=outlook,
        events=await story_of_tool(connection, moment.org_id, name, moment.position),
    )


def _retired(retired: Retired) -> RetiredTool:
    return RetiredTool(retired.ref.vapi_tool_id, retired.reason, retired.delete_at, retired.doomed)


def _is_unused(state: Toolset, name: str) -> bool:
    return name in state.retired and state.retired[name].reason == "unused"


def _wanted(state: Toolset, name: str, blueprint: tuple[WantedTool, ...]) -> WantedTool | None:
    """As it is wanted; None where it is not. An org that lost its last assistant wants it again with the next."""
    if state.closed or _is_unused(state, name):
        return None
    return next((tool for tool in wanted_for(state.tier, blueprint, state.disabled) if tool.name == name), None)


def _condition(state: Toolset, name: str, wanted: WantedTool | None, *, unknown: bool) -> ToolCondition:
    current = state.tools.get(name)
    if unknown:
        return "unknown"
    if tool_subject(name) in state.failures:
        return "failed"
    if name in state.retired:
        return "retired"
    if current is not None:
        return "registered" if wanted is None or current.definition_hash == wanted.definition_hash else "outdated"
    return "unwanted" if wanted is None else "missing"


def _rule(state: Toolset, name: str, blueprint: tuple[WantedTool, ...]) -> str:
    if state.closed:
        return "the organization was deleted, so it wants no tools"
    published = next((tool for tool in blueprint if tool.name == name), None)
    if published is None:
        return f"the blueprint has no tool {name}"
    rule = (
        f"version {published.definition_version} of the blueprint is for tier {published.tier} and above; "
        f"the organization's tier is {state.tier}"
    )
    match unwanted_for(state.tier, blueprint, state.disabled).get(name):
        case "setting":
            return f"{rule}; switched off by the clinic's setting"
        case "tier":
            return f"{rule}, which is below it"
        case _:
            return f"{rule}; no assistant is left that needs it" if _is_unused(state, name) else rule
