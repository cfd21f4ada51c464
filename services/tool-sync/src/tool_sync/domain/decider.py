"""What a worker may write: ``decide(state, command) -> events``. No events means: already so, which is success.

Commands come from the one worker that holds the org's lease. After a conflict it reloads and decides again with the
answer in hand: an attempt that is still open is recorded; one that was closed meanwhile is not, and a tool that is
surplus by then is noted for the sweep.
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
    RetireReason,
    Settled,
    SurplusDeleted,
    SurplusDeleteStarted,
    SurplusFound,
    SurplusSearched,
    SweepStarted,
    SyncAttemptFailed,
    ToolDeleted,
    ToolDeleteStarted,
    ToolFailure,
    ToolRef,
    ToolRegistered,
    ToolRegistrationStarted,
    ToolReinstated,
    ToolRetired,
    ToolsetEvent,
    ToolUpdated,
    ToolUpdateStarted,
    ToolVanished,
)
from tool_sync.domain.toolset import UNREADABLE, Request, Started, Toolset, agent_subject, tool_subject

REQUESTS_PER_EVENT_MAX = 100


@dataclass(frozen=True, slots=True)
class Start:
    """Announce a write to Vapi."""

    event: Started


@dataclass(frozen=True, slots=True)
class ConfirmTool:
    """Vapi answered, or shows after the settle time, that the tool has the attempt's definition.

    ``made``: this answer made the tool; if its attempt was closed meanwhile, the tool is surplus.
    """

    attempt_id: UUID
    vapi_tool_id: str
    answer_hash: str
    adopted: bool
    made: "NoteSurplus | None" = None
    vapi_version: str | None = None


@dataclass(frozen=True, slots=True)
class ConfirmLinked:
    """Vapi answered, or shows after the settle time, that the assistant is linked."""

    attempt_id: UUID
    model_hash: str
    answer_hash: str
    vapi_version: str | None = None


@dataclass(frozen=True, slots=True)
class FailStep:
    """A step failed; see :class:`~tool_sync.domain.events.SyncAttemptFailed`.

    ``assistant_id``: the assistant that a look or a link was about; its agent may have another one by now.
    """

    subject: str
    attempt_id: UUID | None
    end: AttemptEnd
    code: str
    retry_at: datetime | None
    definition_hash: str | None = None
    counted: bool = True
    assistant_id: str | None = None


@dataclass(frozen=True, slots=True)
class ForgetTool:
    """Vapi answered 404 for a tool of ours."""

    account: str
    ref: ToolRef


@dataclass(frozen=True, slots=True)
class RetireTool:
    """The org does not want this tool any more, and nobody of it links it."""

    account: str
    ref: ToolRef
    reason: RetireReason
    delete_at: datetime


@dataclass(frozen=True, slots=True)
class ReinstateTool:
    """A retired tool is wanted again."""

    account: str
    ref: ToolRef


@dataclass(frozen=True, slots=True)
class BeginSweep:
    """The assistants are about to be listed, for these tools' sake."""

    vapi_tool_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConfirmDeleted:
    """Vapi answered, or shows after the settle time, that the tool is not there any more."""

    attempt_id: UUID


@dataclass(frozen=True, slots=True)
class NoteSurplus:
    """A tool with our marker was seen at Vapi that may not be the org's. ``created_at`` is ours."""

    account: str
    name: str
    vapi_tool_id: str
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class EndSearch:
    """Vapi was asked for surplus tools of these names."""

    names: tuple[str, ...]
    through: datetime


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
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class SettleFailed:
    """The open requests of an assistant (None: those that were unreadable) end without all tools.

    ``cause``: no request asked, and it is told all the same; None: where nothing is open, nothing is told.
    """

    agent_id: str | None
    assistant_id: str | None
    revision: int | None
    account: str
    tools: tuple[ToolRef, ...]
    failed_tools: tuple[ToolFailure, ...]
    code: str
    through: int
    look_at: datetime | None
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class SettleOrg:
    """What concerned the whole org up to ``through`` is done."""

    through: int


Conclusion = RetireTool | ReinstateTool | BeginSweep | SettleSynced | SettleFailed | SettleOrg
"""What follows from a state, where everything else tells what happened. On another state it has to be drawn anew: a
tool that was not wanted may be wanted again, a save may have an outcome already."""

Command = (
    Start
    | ConfirmTool
    | ConfirmLinked
    | FailStep
    | ForgetTool
    | ConfirmDeleted
    | NoteSurplus
    | EndSearch
    | NoteDrift
    | NoteDiverged
    | Conclusion
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
                    vapi_version=command.vapi_version,
                ),
            )
        case FailStep():
            return _fail(state, command)
        case ForgetTool(account=account, ref=ref):
            if state.tools.get(ref.name) != ref:
                return ()
            return (ToolVanished(account, ref.name, ref.vapi_tool_id, ref.definition_version, ref.definition_hash),)
        case RetireTool(ref=ref):
            if state.tools.get(ref.name) != ref or _is_open(state, tool_subject(ref.name)):
                return ()
            return (
                ToolRetired(
                    account=command.account,
                    name=ref.name,
                    vapi_tool_id=ref.vapi_tool_id,
                    definition_version=ref.definition_version,
                    definition_hash=ref.definition_hash,
                    reason=command.reason,
                    delete_at=command.delete_at,
                ),
            )
        case ReinstateTool(account=account, ref=ref):
            retired = state.retired.get(ref.name)
            if retired is None or retired.ref != ref or retired.doomed or _is_open(state, tool_subject(ref.name)):
                return ()
            return (ToolReinstated(account, ref.name, ref.vapi_tool_id, ref.definition_version, ref.definition_hash),)
        case BeginSweep(vapi_tool_ids=ids):
            return () if state.attempts else (SweepStarted(ids),)
        case ConfirmDeleted(attempt_id=attempt_id):
            return _confirm_deleted(state, attempt_id)
        case NoteSurplus():
            return _note_surplus(state, command)
        case EndSearch(names=names, through=through):
            return (SurplusSearched(names, through),)
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


def _start(state: Toolset, event: Started) -> tuple[ToolsetEvent, ...]:
    """Announce a write, unless the log shows that it is not wanted any more or that another one is open."""
    match event:
        case ToolRegistrationStarted(name=name):
            kept = name in state.retired and not state.retired[name].doomed
            blocked = state.closed or kept or name in state.tools or _is_open(state, tool_subject(name))
        case ToolUpdateStarted(name=name, vapi_tool_id=tool_id):
            current = state.tools.get(name)
            other = current is None or current.vapi_tool_id != tool_id
            same = current is not None and current.definition_hash == event.definition_hash
            done = same and name not in state.drifted
            blocked = state.closed or other or done or _is_open(state, tool_subject(name))
        case AssistantLinkStarted(agent_id=agent_id, tools=tools):
            gone = any(state.tools.get(t.name) != t for t in tools)
            blocked = state.closed or gone or _is_open(state, agent_subject(agent_id))
        # A deletion is the only write that can break a call: never beside another write of this org.
        case ToolDeleteStarted(name=name, vapi_tool_id=tool_id):
            retired = state.retired.get(name)
            blocked = bool(state.attempts) or retired is None or retired.ref.vapi_tool_id != tool_id
        case SurplusDeleteStarted(vapi_tool_id=tool_id):
            blocked = bool(state.attempts) or tool_id not in state.surplus
        case _:
            assert_never(event)
    return () if blocked else (event,)


def _is_open(state: Toolset, subject: str) -> bool:
    return any(attempt.subject == subject for attempt in state.attempts.values())


def _confirm_deleted(state: Toolset, attempt_id: UUID) -> tuple[ToolsetEvent, ...]:
    attempt = state.attempts.get(attempt_id)
    match attempt.started if attempt is not None else None:
        case ToolDeleteStarted(account=account, name=name, vapi_tool_id=tool_id):
            ref = state.retired[name].ref  # nothing can replace it while this attempt is open
            return (ToolDeleted(attempt_id, account, name, tool_id, ref.definition_version, ref.definition_hash),)
        case SurplusDeleteStarted(account=account, name=name, vapi_tool_id=tool_id):
            return (SurplusDeleted(attempt_id, account, name, tool_id),)
        case _:
            return ()


def _note_surplus(state: Toolset, command: NoteSurplus) -> tuple[ToolsetEvent, ...]:
    """The loser of a race never deletes: what is surplus is written down, and the sweep looks at it later."""
    retired = state.retired.get(command.name)
    known = {ref.vapi_tool_id for ref in (state.tools.get(command.name), retired.ref if retired else None) if ref}
    if command.vapi_tool_id in known or command.vapi_tool_id in state.surplus:
        return ()
    return (SurplusFound(command.account, command.name, command.vapi_tool_id, command.created_at),)


def _confirm_tool(state: Toolset, command: ConfirmTool) -> tuple[ToolsetEvent, ...]:
    attempt = state.attempts.get(command.attempt_id)
    if attempt is None:
        return _note_surplus(state, command.made) if command.made is not None else ()
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
                    vapi_version=command.vapi_version,
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
                    vapi_version=command.vapi_version,
                ),
            )
        case AssistantLinkStarted() | ToolDeleteStarted() | SurplusDeleteStarted():
            return ()
        case _:
            assert_never(attempt.started)


def _fail(state: Toolset, command: FailStep) -> tuple[ToolsetEvent, ...]:
    attempt_id = command.attempt_id
    if attempt_id is not None and attempt_id not in state.attempts:
        if command.end != "unknown" or not command.subject.startswith("agent:"):
            return ()
        # A link that was sent after it had been looked for, as its sender slept: it may put an older model over a newer
        # save, or drop a newer link. So the assistant is looked at once more, when this can no longer land.
        attempt_id = None
    before = state.failures.get(command.subject)
    return (
        SyncAttemptFailed(
            subject=command.subject,
            attempt_id=attempt_id,
            end=command.end,
            code=command.code,
            failures=(before.count if before else 0) + command.counted,
            retry_at=command.retry_at,
            definition_hash=command.definition_hash,
            counted=command.counted,
            assistant_id=command.assistant_id,
        ),
    )


def _chunks(state: Toolset, agent_id: str | None, through: int) -> Sequence[Sequence[Request]]:
    """The agent's open requests up to a position, at most 100 a piece, in position order."""
    requests = [r for r in state.open_requests.get(agent_id or UNREADABLE, ()) if r.position <= through]
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
            reason=command.reason,
        )

    if unasked:
        sequence = state.sequence + 1 if command.changed else None
        return (synced((), command.through, command.cause, sequence),)
    return tuple(
        synced(chunk, chunk[-1].position, None, state.sequence + number) for number, chunk in enumerate(chunks, 1)
    )


def _settle_failed(state: Toolset, command: SettleFailed) -> tuple[ToolsetEvent, ...]:
    chunks = _chunks(state, command.agent_id, command.through)
    unasked: Sequence[Sequence[Request]] = ((),) if command.cause is not None and not chunks else ()
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
            settled_through=chunk[-1].position if chunk else command.through,
            look_at=command.look_at,
            sequence=state.sequence + number,
            cause=None if chunk else command.cause,
        )
        for number, chunk in enumerate((*chunks, *unasked), 1)
    )
