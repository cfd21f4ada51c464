"""Writes to Vapi that were announced, and what became of them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from tool_sync.domain import events
from tool_sync.domain.evolve.changes import Changes, decided_on, with_entry, without
from tool_sync.domain.subject import SWEEP_SUBJECT, agent_of, agent_subject
from tool_sync.domain.toolset import Attempt, Failure, Recorded, Started, Toolset, UnconfirmedCreation

_WORDED: Final = events.ToolRegistrationStarted | events.ToolUpdateStarted
EVENTS = Started | events.AssistantLinked | events.SyncAttemptFailed


def changes(state: Toolset, recorded: Recorded, event: EVENTS) -> Changes:
    """What one of these events changes."""
    match event:
        case events.AssistantLinked(agent_id=agent_id):
            return {
                "attempts": without(state.attempts, event.attempt_id),
                "failures": without(state.failures, agent_subject(agent_id)),
                "looks": _until_told(state, agent_id, recorded.recorded_at),
            }
        case events.SyncAttemptFailed():
            return failed(state, event, recorded.recorded_at)
        case _:
            attempt = Attempt(recorded.recorded_at, event)
            changed: Changes = {"attempts": with_entry(state.attempts, event.attempt_id, attempt)}
            if isinstance(event, _WORDED):
                changed["decided_on"] = decided_on(state, event.name, event.fleet_position)
            elif isinstance(event, events.AssistantLinkStarted):
                changed["links_decided_on"] = max(state.links_decided_on, event.fleet_position or 0)
            return changed


def _until_told(state: Toolset, agent_id: str, at: datetime) -> Mapping[str, datetime]:
    """It is looked at until an outcome follows, mostly in the same append: found late, the link may not be as wanted
    any more, while the outcome before it says that it is."""
    asked = state.closed or agent_id in state.open_requests
    return state.looks if asked else with_entry(state.looks, agent_id, at)


def failed(state: Toolset, event: events.SyncAttemptFailed, at: datetime) -> Changes:
    """What a failed step changes. One whose end is unknown stays open: it may have happened."""
    attempts, looks = state.attempts, state.looks
    attempt = attempts.get(event.attempt_id) if event.attempt_id is not None else None
    if event.end != "unknown" and event.attempt_id is not None:
        attempts = without(attempts, event.attempt_id)
    # The key was to blame, or another assistant: the attempt is over, and its subject is as it was before.
    if not event.counted or _is_about_another(state, event, attempt):
        return {"attempts": attempts}
    agent_id = agent_of(event.subject)
    if agent_id is not None and event.retry_at is None:
        looks = without(looks, agent_id)
    elif agent_id is not None and event.retry_at is not None and agent_id not in state.open_requests:
        looks = looks if state.closed else with_entry(looks, agent_id, event.retry_at)  # no request keeps it in mind
    overlay = attempt.started.overlay if attempt is not None and isinstance(attempt.started, _WORDED) else ()
    failure = Failure(
        event.failures, event.code, event.retry_at, event.definition_hash, at, event.assistant_id, overlay
    )
    changed: Changes = {
        "attempts": attempts,
        "failures": with_entry(state.failures, event.subject, failure),
        "looks": looks,
    }
    if event.subject == SWEEP_SUBJECT:
        changed["swept_at"] = None  # a list that could not be read was none
    if attempt is not None and event.end == "absent":
        _note_absence(changed, state, attempt, at)
    return changed


def _note_absence(changed: Changes, state: Toolset, attempt: Attempt, at: datetime) -> None:
    """A write that had not happened by the settle time may still happen, if its sender slept and wakes up."""
    match attempt.started:
        case events.ToolRegistrationStarted(name=name):
            before = state.suspects.get(name)
            since = before.since if before is not None else attempt.started_at
            changed["suspects"] = with_entry(state.suspects, name, UnconfirmedCreation(since, at))
        case events.ToolDeleteStarted(name=name) if name in state.retired:
            changed["retired"] = with_entry(state.retired, name, replace(state.retired[name], deletion_sent=True))


def _is_about_another(state: Toolset, event: events.SyncAttemptFailed, attempt: Attempt | None) -> bool:
    """Whether it is about an assistant that the agent had before: its newest save names another one.

    A worker that slept may write it after that save has arrived, without a conflict: arrivals are in another stream.
    """
    agent_id, about = agent_of(event.subject), event.assistant_id
    if attempt is not None and isinstance(attempt.started, events.AssistantLinkStarted):
        about = attempt.started.assistant_id
    requests = state.open_requests.get(agent_id, ()) if agent_id is not None else ()
    newest = requests[-1].asked if requests else None
    return about is not None and isinstance(newest, events.SyncRequested) and newest.assistant_id != about
