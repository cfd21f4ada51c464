"""What a worker may write: ``decide(state, command) -> events``. No events means: already so, which is success.

Commands come from the one worker that holds the org's lease. After a conflict it reloads and decides again with the
answer in hand: an attempt that is still open is recorded; one that was closed meanwhile is not, and a tool that is
surplus by then is found by the sweep.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never
from uuid import UUID

from tool_sync.domain.events import (
    AssistantDiverged,
    AssistantLinked,
    AssistantLinkStarted,
    AssistantSynced,
    AssistantSyncFailed,
    AttemptEnd,
    DriftDetected,
    OrgSettled,
    Settled,
    SyncAttemptFailed,
    ToolFailure,
    ToolRef,
    ToolRegistered,
    ToolRegistrationStarted,
    ToolsetEvent,
    ToolUpdated,
    ToolUpdateStarted,
    ToolVanished,
)
from tool_sync.domain.toolset import Request, Toolset, tool_subject

REQUESTS_PER_EVENT_MAX = 100


@dataclass(frozen=True, slots=True)
class Start:
    """Announce a write to Vapi."""

    event: ToolRegistrationStarted | ToolUpdateStarted | AssistantLinkStarted


@dataclass(frozen=True, slots=True)
class ConfirmTool:
    """Vapi answered, or shows after the settle time, that the tool has the attempt's definition."""

    attempt_id: UUID
    vapi_tool_id: str
    answer_hash: str
    adopted: bool


@dataclass(frozen=True, slots=True)
class ConfirmLinked:
    """Vapi answered, or shows after the settle time, that the assistant is linked."""

    attempt_id: UUID
    model_hash: str
    answer_hash: str


@dataclass(frozen=True, slots=True)
class FailStep:
    """A step failed; see :class:`~tool_sync.domain.events.SyncAttemptFailed`."""

    subject: str
    attempt_id: UUID | None
    end: AttemptEnd
    code: str
    retry_at: datetime | None
    definition_hash: str | None = None


@dataclass(frozen=True, slots=True)
class ForgetTool:
    """Vapi answered 404 for a tool of ours."""

    account: str
    ref: ToolRef


@dataclass(frozen=True, slots=True)
class NoteDrift:
    """The assistant at Vapi was changed by somebody else."""

    agent_id: str
    assistant_id: str
    model_hash: str


@dataclass(frozen=True, slots=True)
class NoteDiverged:
    """Vapi keeps showing an older version than the newest save."""

    agent_id: str
    assistant_id: str
    revision: int
    model_hash: str


@dataclass(frozen=True, slots=True)
class SettleSynced:
    """An assistant was seen with all its tools. ``changed``: the last outcome named another tool set."""

    agent_id: str
    assistant_id: str
    revision: int
    account: str
    tools: tuple[ToolRef, ...]
    through: int
    changed: bool
    cause: str


@dataclass(frozen=True, slots=True)
class SettleFailed:
    """The open requests of an assistant (None: those that were unreadable) end without all tools."""

    agent_id: str | None
    assistant_id: str | None
    revision: int | None
    account: str
    tools: tuple[ToolRef, ...]
    failed_tools: tuple[ToolFailure, ...]
    code: str
    through: int
    look_at: datetime | None


@dataclass(frozen=True, slots=True)
class SettleOrg:
    """What concerned the whole org up to ``through`` is done."""

    through: int


Command = (
    Start
    | ConfirmTool
    | ConfirmLinked
    | FailStep
    | ForgetTool
    | NoteDrift
    | NoteDiverged
    | SettleSynced
    | SettleFailed
    | SettleOrg
)


def decide(state: Toolset, command: Command) -> tuple[ToolsetEvent, ...]:
    """The events that this command adds to the toolset stream, given the state."""
    match command:
        case Start(event=event):
            return _start(state, event)
        case ConfirmTool():
            return _confirm_tool(state, command)
        case ConfirmLinked(attempt_id=attempt_id):
            attempt = state.attempts.get(attempt_id)
            if attempt is None or not isinstance(attempt.started, AssistantLinkStarted):
                return ()
            started = attempt.started
            return (
                AssistantLinked(
                    attempt_id=attempt_id,
                    account=started.account,
                    agent_id=started.agent_id,
                    assistant_id=started.assistant_id,
                    revision=started.revision,
                    base_hash=started.base_hash,
                    model_hash=command.model_hash,
                    answer_hash=command.answer_hash,
                    tools=started.tools,
                ),
            )
        case FailStep():
            return _fail(state, command)
        case ForgetTool(account=account, ref=ref):
            if state.tools.get(ref.name) != ref:
                return ()
            return (ToolVanished(account, ref.name, ref.vapi_tool_id, ref.definition_version, ref.definition_hash),)
        case NoteDrift(agent_id=agent_id, assistant_id=assistant_id, model_hash=model_hash):
            return (DriftDetected(agent_id, assistant_id, model_hash),)
        case NoteDiverged():
            sequence = state.sequence + 1
            return (
                AssistantDiverged(
                    command.agent_id, command.assistant_id, command.revision, command.model_hash, sequence
                ),
            )
        case SettleSynced():
            return _settle_synced(state, command)
        case SettleFailed():
            return _settle_failed(state, command)
        case SettleOrg(through=through):
            return (OrgSettled(through),) if state.org_wide_through is not None else ()
        case _:
            assert_never(command)


def _start(
    state: Toolset, event: ToolRegistrationStarted | ToolUpdateStarted | AssistantLinkStarted
) -> tuple[ToolsetEvent, ...]:
    """Announce a write, unless the log shows that it is not wanted any more or that another one is open."""
    match event:
        case ToolRegistrationStarted(name=name):
            blocked = name in state.tools or _is_open(state, tool_subject(name))
        case ToolUpdateStarted(name=name, vapi_tool_id=vapi_tool_id):
            current = state.tools.get(name)
            blocked = current is None or current.vapi_tool_id != vapi_tool_id or _is_open(state, tool_subject(name))
        case AssistantLinkStarted(agent_id=agent_id, tools=tools):
            blocked = _is_open(state, f"agent:{agent_id}") or any(state.tools.get(t.name) != t for t in tools)
        case _:
            assert_never(event)
    return () if blocked or state.closed else (event,)


def _is_open(state: Toolset, subject: str) -> bool:
    return any(attempt.subject == subject for attempt in state.attempts.values())


def _confirm_tool(state: Toolset, command: ConfirmTool) -> tuple[ToolsetEvent, ...]:
    attempt = state.attempts.get(command.attempt_id)
    if attempt is None:
        return ()
    match attempt.started:
        case ToolRegistrationStarted() as started:
            return (
                ToolRegistered(
                    attempt_id=started.attempt_id,
                    account=started.account,
                    name=started.name,
                    vapi_tool_id=command.vapi_tool_id,
                    definition_version=started.definition_version,
                    definition_hash=started.definition_hash,
                    answer_hash=command.answer_hash,
                    adopted=command.adopted,
                ),
            )
        case ToolUpdateStarted() as started:
            return (
                ToolUpdated(
                    attempt_id=started.attempt_id,
                    account=started.account,
                    name=started.name,
                    vapi_tool_id=started.vapi_tool_id,
                    definition_version=started.definition_version,
                    definition_hash=started.definition_hash,
                    answer_hash=command.answer_hash,
                ),
            )
        case AssistantLinkStarted():
            return ()
        case _:
            assert_never(attempt.started)


def _fail(state: Toolset, command: FailStep) -> tuple[ToolsetEvent, ...]:
    if command.attempt_id is not None and command.attempt_id not in state.attempts:
        return ()
    before = state.failures.get(command.subject)
    return (
        SyncAttemptFailed(
            subject=command.subject,
            attempt_id=command.attempt_id,
            end=command.end,
            code=command.code,
            failures=(before.count if before else 0) + 1,
            retry_at=command.retry_at,
            definition_hash=command.definition_hash,
        ),
    )


def _chunks(state: Toolset, agent_id: str | None, through: int) -> Sequence[Sequence[Request]]:
    """The agent's open requests up to a position, at most 100 a piece, in position order."""
    requests = [r for r in state.open_requests.get(agent_id, ()) if r.position <= through]
    return [requests[i : i + REQUESTS_PER_EVENT_MAX] for i in range(0, len(requests), REQUESTS_PER_EVENT_MAX)]


def _named(requests: Sequence[Request]) -> tuple[Settled, ...]:
    return tuple(Settled(r.asked.request_id, r.asked.trace_id) for r in requests)


def _settle_synced(state: Toolset, command: SettleSynced) -> tuple[ToolsetEvent, ...]:
    chunks = _chunks(state, command.agent_id, command.through)
    unasked = not chunks

    def synced(requests: Sequence[Request], through: int, cause: str | None, sequence: int | None) -> AssistantSynced:
        return AssistantSynced(
            agent_id=command.agent_id,
            assistant_id=command.assistant_id,
            revision=command.revision,
            account=command.account,
            tools=command.tools,
            requests=_named(requests),
            settled_through=through,
            cause=cause,
            sequence=sequence,
        )

    if unasked:
        sequence = state.sequence + 1 if command.changed else None
        return (synced((), command.through, command.cause, sequence),)
    return tuple(
        synced(chunk, chunk[-1].position, None, state.sequence + number) for number, chunk in enumerate(chunks, 1)
    )


def _settle_failed(state: Toolset, command: SettleFailed) -> tuple[ToolsetEvent, ...]:
    return tuple(
        AssistantSyncFailed(
            agent_id=command.agent_id,
            assistant_id=command.assistant_id,
            revision=command.revision,
            account=command.account,
            tools=command.tools,
            failed_tools=command.failed_tools,
            code=command.code,
            requests=_named(chunk),
            settled_through=chunk[-1].position,
            look_at=command.look_at,
            sequence=state.sequence + number,
        )
        for number, chunk in enumerate(_chunks(state, command.agent_id, command.through), 1)
    )
