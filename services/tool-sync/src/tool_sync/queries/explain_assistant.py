"""What happened to an assistant, what it has, and what happens next."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tool_sync.db import Connection
from tool_sync.domain.events import SyncRequested
from tool_sync.domain.plan.tools import target_of
from tool_sync.domain.subject import agent_subject, tool_subject
from tool_sync.domain.toolset import Toolset
from tool_sync.domain.wanted import Wanted, WantedTool, wanted_of
from tool_sync.queries.as_of import StateAsOf, age_seconds, unknown_since
from tool_sync.queries.assistants import AssistantNow, assistant_of
from tool_sync.queries.coverage import cannot_book
from tool_sync.queries.explain_tool import tool_reasons
from tool_sync.queries.next_action import NextAction, Reason, next_action_of, work_of
from tool_sync.queries.timeline import TimelineEntry, timeline_of_agent
from tool_sync.queries.tool_settings import ToolSetting, settings_at


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A save that has no outcome yet."""

    request_id: UUID
    revision: int
    cause: str
    since: datetime
    trace_id: str | None


@dataclass(frozen=True, slots=True)
class MissingTool:
    """A wanted tool that the org does not have yet, and why, where that is known."""

    name: str
    code: str | None
    retry_at: datetime | None


@dataclass(frozen=True, slots=True)
class AssistantExplained:
    """What the newest outcome said (``outcome``, ``code``, ``tools``), what is open, and what happens next.

    ``switched_off``: those of the clinic's tools that it has set off. An outcome of the agent's life before, or of the
    assistant that it had before, says nothing of what it is now. ``unknown_since``: a write to Vapi that has no answer
    yet, ``unknown_seconds`` old. Where a time in the past was asked for, what the newest outcome said and ``outlook``
    are null: the events say what had been said by then.
    """

    org_id: UUID
    agent_id: str
    assistant_id: str | None
    as_of_position: int
    as_of: datetime
    removed: bool
    outcome: str | None
    code: str | None
    tools: tuple[str, ...]
    wanted: tuple[str, ...]
    switched_off: tuple[ToolSetting, ...]
    missing: tuple[MissingTool, ...]
    open_requests: tuple[OpenRequest, ...]
    unknown_since: datetime | None
    unknown_seconds: float | None
    failure_code: str | None
    failures: int
    retry_at: datetime | None
    outlook: NextAction | None
    events: tuple[TimelineEntry, ...]


async def explain_assistant(connection: Connection, moment: StateAsOf, agent_id: str) -> AssistantExplained:
    """The assistant at that moment, which must be one of the org's."""
    state = moment.state
    row = await assistant_of(connection, moment.org_id, agent_id)
    assert row is not None, "found by find_assistants"
    failure = state.failures.get(agent_subject(agent_id))
    unknown = unknown_since(state, agent_subject(agent_id))
    of_clinic = wanted_of(state, moment.fleet, moment.org_id, moment.asked_at)
    wanted = of_clinic.tools
    settings = await settings_at(connection, moment.org_id, moment.position)
    said = row if moment.is_now and row.outcome is not None else None
    return AssistantExplained(
        org_id=moment.org_id,
        agent_id=agent_id,
        assistant_id=row.assistant_id,
        as_of_position=moment.position,
        as_of=moment.at,
        removed=row.removed,
        outcome=said.outcome if said else None,
        code=said.code if said else None,
        tools=tuple(ref.name for ref in said.synced) if said else (),
        wanted=tuple(tool.name for tool in wanted),
        switched_off=tuple(setting for setting in settings if setting.enabled is False),
        missing=_missing(state, wanted),
        open_requests=_open_requests(state, agent_id),
        unknown_since=unknown,
        unknown_seconds=age_seconds(moment, unknown),
        failure_code=failure.code if failure else None,
        failures=failure.count if failure else 0,
        retry_at=failure.retry_at if failure else None,
        outlook=await _next_action(connection, moment, row, of_clinic) if moment.is_now else None,
        events=await timeline_of_agent(connection, moment.org_id, agent_id, moment.position),
    )


async def _next_action(connection: Connection, moment: StateAsOf, row: AssistantNow, of_clinic: Wanted) -> NextAction:
    state, agent_id, wanted = moment.state, row.agent_id, of_clinic.tools
    failure = state.failures.get(agent_subject(agent_id))
    deleted = "the organization" if state.closed else "the assistant" if row.removed else None
    return next_action_of(
        await work_of(connection, moment.org_id, moment.paused, agent_id),
        reasons=() if row.removed else await _reasons(connection, moment, row, wanted),
        retry_at=(failure.retry_at if failure else None) or state.looks.get(agent_id) or _tool_retry(state, wanted),
        is_open=bool(state.open_requests.get(agent_id)),
        is_unknown=unknown_since(state, agent_subject(agent_id)) is not None,
        is_final=_is_final(state, agent_id, wanted, has_failed=row.outcome == "failed"),
        none_wanted=of_clinic.none_wanted,
        opens_at=of_clinic.opens_at,
        gone=f"nothing: {deleted} was deleted" if deleted else None,
    )


def _missing(state: Toolset, wanted: tuple[WantedTool, ...]) -> tuple[MissingTool, ...]:
    lacking = {tool.name for tool in wanted} - {ref.name for ref in target_of(state, wanted)}
    failures = {name: state.failures.get(tool_subject(name)) for name in sorted(lacking)}
    return tuple(MissingTool(n, f.code if f else None, f.retry_at if f else None) for n, f in failures.items())


def _open_requests(state: Toolset, agent_id: str) -> tuple[OpenRequest, ...]:
    return tuple(
        OpenRequest(r.asked.request_id, r.asked.revision, r.asked.cause, r.recorded_at, r.asked.trace_id)
        for r in state.open_requests.get(agent_id, ())
        if isinstance(r.asked, SyncRequested)
    )


def _tool_retry(state: Toolset, wanted: tuple[WantedTool, ...]) -> datetime | None:
    """When the first of its tools that failed is tried again."""
    failures = (state.failures.get(tool_subject(tool.name)) for tool in wanted)
    return min((f.retry_at for f in failures if f is not None and f.retry_at is not None), default=None)


def _is_final(state: Toolset, agent_id: str, wanted: tuple[WantedTool, ...], *, has_failed: bool) -> bool:
    """Whether waiting does not help: the assistant or one of its tools was refused, and nothing asks again."""
    if agent_id in state.open_requests and agent_subject(agent_id) not in state.failures:
        return False
    if has_failed and agent_id not in state.looks:
        return True
    subjects = (agent_subject(agent_id), *(tool_subject(tool.name) for tool in wanted))
    return any((f := state.failures.get(subject)) is not None and f.retry_at is None for subject in subjects)


async def _reasons(
    connection: Connection, moment: StateAsOf, row: AssistantNow, wanted: tuple[WantedTool, ...]
) -> tuple[Reason, ...]:
    """Everything that makes "as wanted" false of an assistant: by what is wanted now, and by what is known now."""
    state, agent_id = moment.state, row.agent_id
    if state.closed:
        return ()
    found = [
        Reason.of(lack.what, lack.code)
        for one in await cannot_book(connection, moment.org_id, limit=1, agents=[agent_id])
        for lack in one.lacks
    ]
    if not wanted and row.outcome == "failed":  # who should not book is not covered above
        found.append(Reason.of("its newest outcome is a failure", row.code))
    if not wanted and row.outcome is None:
        found.append(Reason("it was saved, and no sync of it has ended yet"))
    if state.open_requests.get(agent_id):
        found.append(Reason("a save of it has no outcome yet"))
    if unknown_since(state, agent_subject(agent_id)) is not None:
        found.append(Reason.of("a write to it has no answer yet", "TS-104"))
    if (failure := state.failures.get(agent_subject(agent_id))) is not None:
        found.append(Reason.of("the last try failed", failure.code))
    found += tool_reasons(state, wanted)
    names = {tool.name for tool in wanted}
    found += [
        Reason(f"it still has {ref.name}, which is not wanted any more") for ref in row.synced if ref.name not in names
    ]
    return tuple(dict.fromkeys(found))
