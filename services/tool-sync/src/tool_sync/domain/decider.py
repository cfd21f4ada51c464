"""What a worker may write: ``decide(state, command) -> events``. No events means: already so, which is success.

Commands come from the one worker that holds the org's lease. After a conflict it reloads and decides again with the
answer in hand: an attempt that is still open is recorded; one that was closed meanwhile is not, and a tool that is
surplus by then is noted for the sweep.
"""

from typing import assert_never
from uuid import UUID

from tool_sync.domain import settling
from tool_sync.domain.commands import (
    Command,
    ConfirmDeleted,
    ConfirmLinked,
    ConfirmTool,
    FailStep,
    NoteDiverged,
    SettleFailed,
    SettleSynced,
)
from tool_sync.domain.events import (
    AssistantDiverged,
    AssistantLinked,
    AssistantLinkStarted,
    DriftDetected,
    OrgSettled,
    SurplusDeleted,
    SurplusDeleteStarted,
    SurplusFound,
    SurplusSearched,
    SweepStarted,
    SyncAttemptFailed,
    ToolDeleted,
    ToolDeleteStarted,
    ToolPinExpired,
    ToolRegistered,
    ToolRegistrationStarted,
    ToolReinstated,
    ToolRetired,
    ToolsetEvent,
    ToolTextLost,
    ToolUpdated,
    ToolUpdateStarted,
    ToolVanished,
)
from tool_sync.domain.subject import agent_of, agent_subject, tool_subject
from tool_sync.domain.telling import told
from tool_sync.domain.toolset import Started, Toolset, ref_of


def decide(state: Toolset, command: Command) -> tuple[ToolsetEvent, ...]:
    """The events that this command makes, given the state; what is written of them is :func:`decide_told`."""
    if isinstance(command, Started):
        return _start(state, command)
    match command:
        case ConfirmTool():
            return _confirm_tool(state, command)
        case ConfirmLinked():
            return _confirm_linked(state, command)
        case ConfirmDeleted(attempt_id=attempt_id):
            return _confirm_deleted(state, attempt_id)
        case FailStep():
            return _fail(state, command)
        case ToolVanished():
            return (command,) if state.tools.get(command.name) == ref_of(command) else ()
        case ToolRetired() | ToolReinstated():
            return _retire_or_reinstate(state, command)
        case ToolTextLost(name=name, hashes=hashes, set_at=set_at):
            # Other words may have been set meanwhile, or the same again.
            is_set = any(part.hash in hashes for part in state.custom.get(name, ()))
            return (command,) if is_set and set_at in (None, state.chosen_at.get(name)) else ()
        case ToolPinExpired(name=name, pinned_at=pinned_at):
            is_so = name in state.pins and state.pins[name].position == pinned_at
            return (command,) if is_so else ()
        case SweepStarted():
            return () if state.attempts else (command,)
        case SurplusFound():
            return _note_surplus(state, command)
        case SurplusSearched() | DriftDetected():
            return (command,)
        case NoteDiverged(agent_id=agent_id, assistant_id=assistant_id, revision=revision, model_hash=model_hash):
            return (AssistantDiverged(agent_id, assistant_id, revision, model_hash, state.sequence + 1),)
        case SettleSynced():
            return settling.settle_synced(state, command)
        case SettleFailed():
            return settling.settle_failed(state, command)
        case OrgSettled():
            return (command,) if state.org_wide_through is not None else ()
        case _:
            assert_never(command)


def decide_told(state: Toolset, command: Command) -> tuple[ToolsetEvent, ...]:
    """The events that this command adds to the toolset stream: those of :func:`decide`, numbered where they are told
    on the fleet's topic."""
    return tuple(told(state, decide(state, command)))


def _retire_or_reinstate(state: Toolset, event: ToolRetired | ToolReinstated) -> tuple[ToolsetEvent, ...]:
    """Neither while a write to the tool has no answer: what comes of it may be about the other state."""
    ref = ref_of(event)
    if isinstance(event, ToolRetired):
        is_so = state.tools.get(ref.name) == ref
    else:
        retired = state.retired.get(ref.name)
        is_so = retired is not None and retired.ref == ref and not retired.deletion_sent
    is_free = is_so and not _is_overtaken(state, event) and not state.is_open(tool_subject(ref.name))
    return (event,) if is_free else ()


def _start(state: Toolset, event: Started) -> tuple[ToolsetEvent, ...]:
    """Announce a write, unless the log shows that it is not wanted any more or that another one is open."""
    # For an org that is closed nothing is made, changed or linked; deletions go on, as they are all that is left to do.
    match event:
        case ToolRegistrationStarted(name=name):
            # A retired tool keeps its id when it is wanted again, unless a deletion of it may still land.
            kept = name in state.retired and not state.retired[name].deletion_sent
            taken = kept or name in state.tools or state.is_open(tool_subject(name))
            blocked = state.closed or taken or _is_overtaken(state, event)
        case ToolUpdateStarted(name=name, vapi_tool_id=tool_id):
            current = state.tools.get(name)
            other = current is None or current.vapi_tool_id != tool_id
            same = current is not None and current.definition_hash == event.definition_hash
            same = same and state.overlays.get(name, ()) == event.overlay
            # What was put right meanwhile, and changed again since, is for a new plan: it may be to be left.
            drift = state.drifted.get(name)
            done = same and (drift is None or drift.found != event.repairs)
            taken = other or done or state.is_open(tool_subject(name))
            blocked = state.closed or taken or _is_overtaken(state, event)
        case AssistantLinkStarted(agent_id=agent_id, tools=tools):
            # A tool that vanished or was retired since the plan would dangle, and a dangling id makes every call fail.
            gone = not {t.vapi_tool_id for t in tools} <= {ref.vapi_tool_id for ref in state.tools.values()}
            overtaken = event.fleet_position is not None and event.fleet_position < state.links_decided_on
            blocked = state.closed or gone or overtaken or state.is_open(agent_subject(agent_id))
        # A deletion is the only write that can break a call: never beside another write of this org.
        case ToolDeleteStarted(name=name, vapi_tool_id=tool_id):
            retired = state.retired.get(name)
            blocked = bool(state.attempts) or retired is None or retired.ref.vapi_tool_id != tool_id
        case SurplusDeleteStarted(vapi_tool_id=tool_id):
            blocked = bool(state.attempts) or tool_id not in state.surplus
        case _:
            assert_never(event)
    return () if blocked else (event,)


def _is_overtaken(
    state: Toolset, event: ToolRegistrationStarted | ToolUpdateStarted | ToolRetired | ToolReinstated
) -> bool:
    """Whether something about the tool was decided on a newer fleet, by an order or by a halt, a tier, a setting or the
    end of one: a worker that slept must not undo it."""
    return event.fleet_position is not None and event.fleet_position < state.decided_on.get(event.name, 0)


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


def _note_surplus(state: Toolset, found: SurplusFound) -> tuple[ToolsetEvent, ...]:
    """The loser of a race never deletes: what is surplus is written down, and the sweep looks at it later."""
    retired = state.retired.get(found.name)
    known = {ref.vapi_tool_id for ref in (state.tools.get(found.name), retired.ref if retired else None) if ref}
    return () if found.vapi_tool_id in known or found.vapi_tool_id in state.surplus else (found,)


def _confirm_tool(state: Toolset, command: ConfirmTool) -> tuple[ToolsetEvent, ...]:
    attempt = state.attempts.get(command.attempt_id)
    # Closed meanwhile, by who looked and found nothing, and may have made another: this one is there all the same.
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
                    order=started.order,
                    note=started.note,
                    cause=started.cause,
                    overlay=started.overlay,
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
                    order=started.order,
                    note=started.note,
                    cause=started.cause,
                    version_before=started.version_before,
                    hash_before=started.hash_before,
                    overlay=started.overlay,
                ),
            )
        case AssistantLinkStarted() | ToolDeleteStarted() | SurplusDeleteStarted():
            return ()
        case _:
            assert_never(attempt.started)


def _confirm_linked(state: Toolset, command: ConfirmLinked) -> tuple[ToolsetEvent, ...]:
    attempt = state.attempts.get(command.attempt_id)
    if attempt is None or not isinstance(attempt.started, AssistantLinkStarted):
        return ()
    started = attempt.started
    return (
        AssistantLinked(
            attempt_id=started.attempt_id,
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


def _fail(state: Toolset, command: FailStep) -> tuple[ToolsetEvent, ...]:
    attempt_id = command.attempt_id
    if attempt_id is not None and attempt_id not in state.attempts:
        if command.end != "unknown" or agent_of(command.subject) is None:
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
