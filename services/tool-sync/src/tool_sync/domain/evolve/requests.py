"""Saves that ask for an outcome, and the outcomes that end them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from tool_sync.domain.events import AssistantSynced, AssistantSyncFailed, RequestUnreadable, SyncRequested
from tool_sync.domain.evolve.changes import Changes, with_entry, without
from tool_sync.domain.subject import agent_subject, is_tool
from tool_sync.domain.toolset import OUTDATED_CODE, UNREADABLE, Failure, Recorded, Request, Toolset

EVENTS = SyncRequested | RequestUnreadable | AssistantSynced | AssistantSyncFailed


def changes(state: Toolset, recorded: Recorded, event: EVENTS) -> Changes:
    """What one of these events changes."""
    match event:
        case SyncRequested():
            return {
                "open_requests": _with_request(state, recorded, event),
                "failures": _reset_by_save(state, event.agent_id, recorded.recorded_at),
            }
        case RequestUnreadable():
            return {"open_requests": _with_request(state, recorded, event)}
        case AssistantSynced():
            return {
                "open_requests": _still_open(state, event.agent_id, event.settled_through),
                "sequence": state.sequence if event.sequence is None else event.sequence,
                "failures": without(state.failures, agent_subject(event.agent_id)),
                "looks": without(state.looks, event.agent_id),
            }
        case AssistantSyncFailed():
            return {
                "open_requests": _still_open(state, event.agent_id, event.settled_through),
                "sequence": event.sequence,
                "looks": _looks_after_failure(state, event),
            }
        case _:
            assert_never(event)


def _with_request(
    state: Toolset, recorded: Recorded, asked: SyncRequested | RequestUnreadable
) -> Mapping[str, tuple[Request, ...]]:
    request = Request(recorded.position, recorded.recorded_at, asked, recorded.traceparent)
    before = state.open_requests.get(request.agent_id, ())
    return {**state.open_requests, request.agent_id: (*before, request)}


def _still_open(state: Toolset, agent_id: str | None, through: int) -> Mapping[str, tuple[Request, ...]]:
    agent_id = agent_id or UNREADABLE
    mine = state.open_requests.get(agent_id, ())
    rest = tuple(request for request in mine if request.position > through)
    if rest:
        return {**state.open_requests, agent_id: rest}
    return without(state.open_requests, agent_id)


def _looks_after_failure(state: Toolset, event: AssistantSyncFailed) -> Mapping[str, datetime]:
    if event.agent_id is None:
        return state.looks
    if event.look_at is None or state.closed:
        return without(state.looks, event.agent_id)
    return with_entry(state.looks, event.agent_id, event.look_at)


def _reset_by_save(state: Toolset, agent_id: str, at: datetime) -> Mapping[str, Failure]:
    """A save lifts what only a save can lift. What merely waits keeps its count and due time, or saves would hammer.

    Except where nobody waited: then it was put off for long, and the first save that waits makes it due.
    """
    own = agent_subject(agent_id)

    def idle(subject: str) -> bool:
        return not state.open_requests if is_tool(subject) else agent_id not in state.open_requests

    def mine(subject: str) -> bool:
        return subject == own or is_tool(subject)

    def after(subject: str, failure: Failure) -> Failure | None:
        if not mine(subject):
            return failure
        # A save answers an outdated assistant: it is the newer version that was waited for.
        if failure.retry_at is None or (failure.code == OUTDATED_CODE and subject == own):
            return None
        return replace(failure, retry_at=at) if failure.retry_at > at and idle(subject) else failure

    if not any(mine(subject) for subject in state.failures):
        return state.failures
    changed = ((subject, after(subject, failure)) for subject, failure in state.failures.items())
    return {subject: failure for subject, failure in changed if failure is not None}
