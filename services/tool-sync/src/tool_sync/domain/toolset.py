"""An org's state as a fold of its two streams: what is open, what we have, what failed and when to try again.

    Toolset = fold(evolve, Recorded events of org-<id> and toolset-<id> in position order)

It holds what concerns the org as a whole: tools, attempts without an answer, open requests. What is known of one
assistant is a row of the projection ``assistants`` (:class:`Assistant` here), loaded only for assistants with work, so
that an org's 5,000th assistant costs what its first did.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, TypeVar, assert_never, get_args
from uuid import UUID

from tool_sync.domain.events import (
    AssistantDiverged,
    AssistantLinked,
    AssistantLinkStarted,
    AssistantRemoved,
    AssistantSynced,
    AssistantSyncFailed,
    BlueprintPublished,
    DriftDetected,
    Event,
    OrgClosed,
    OrgRegistered,
    OrgSettled,
    OrgTierChanged,
    RequestUnreadable,
    SyncAttemptFailed,
    SyncRequested,
    ToolRef,
    ToolRegistered,
    ToolRegistrationStarted,
    ToolsetEvent,
    ToolUpdated,
    ToolUpdateStarted,
    ToolVanished,
)

K = TypeVar("K")
V = TypeVar("V")

FOLD: Final = 1
"""Rises whenever the shape or the meaning of :class:`Toolset` changes: snapshots of another number are not used."""

TIER_DEFAULT: Final = "basic"
OUTDATED_CODE: Final = "TS-305"
"""``ErrorCode.ASSISTANT_OUTDATED``; the domain imports the standard library only."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event with its place in the log."""

    position: int
    recorded_at: datetime
    event: Event
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A write to Vapi that was announced and has no answer yet."""

    started_at: datetime
    started: ToolRegistrationStarted | ToolUpdateStarted | AssistantLinkStarted

    @property
    def subject(self) -> str:
        match self.started:
            case ToolRegistrationStarted() | ToolUpdateStarted():
                return tool_subject(self.started.name)
            case AssistantLinkStarted():
                return agent_subject(self.started.agent_id)
            case _:
                assert_never(self.started)


@dataclass(frozen=True, slots=True)
class Failure:
    """Failures of one subject in a row. ``retry_at`` is None where waiting does not help."""

    count: int
    code: str
    retry_at: datetime | None
    definition_hash: str | None


@dataclass(frozen=True, slots=True)
class Request:
    """An open request and its place."""

    position: int
    recorded_at: datetime
    asked: SyncRequested | RequestUnreadable
    traceparent: str | None = None

    @property
    def agent_id(self) -> str | None:
        return self.asked.agent_id if isinstance(self.asked, SyncRequested) else None


@dataclass(frozen=True, slots=True)
class Toolset:
    """One org, folded up to ``position``; ``version`` is that of its toolset stream."""

    version: int = 0
    position: int = 0
    sequence: int = 0
    tier: str = TIER_DEFAULT
    closed: bool = False
    tools: Mapping[str, ToolRef] = field(default_factory=dict)
    attempts: Mapping[UUID, Attempt] = field(default_factory=dict)
    open_requests: Mapping[str | None, tuple[Request, ...]] = field(default_factory=dict)
    """By agent, in the order in which they arrived; unreadable ones under None."""
    org_wide_through: int | None = None
    org_wide_cause: str | None = None
    failures: Mapping[str, Failure] = field(default_factory=dict)
    looks: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def requests(self) -> tuple[Request, ...]:
        """All open requests in the order of their positions."""
        return tuple(sorted((r for mine in self.open_requests.values() for r in mine), key=lambda r: r.position))


@dataclass(frozen=True, slots=True)
class Assistant:
    """A row of the projection ``assistants``: what is known of one assistant.

    ``saved`` holds its last saved (revision, model hash), newest last; ``base_hash`` and ``written_hash`` are the model
    hashes before and after our own newest write, ``linked_revision`` the newest save that it knew of, ``linked`` what
    it linked, ``synced`` what the newest
    outcome named.
    """

    agent_id: str
    assistant_id: str
    revision: int
    saved: tuple[tuple[int, str], ...] = ()
    base_hash: str | None = None
    written_hash: str | None = None
    linked_revision: int = 0
    linked: tuple[ToolRef, ...] = ()
    synced: tuple[ToolRef, ...] = ()
    failed: bool = False
    diverged_revision: int | None = None
    drift_hash: str | None = None
    removed: bool = False


def tool_subject(name: str) -> str:
    """What failures of a tool are counted under."""
    return f"tool:{name}"


def agent_subject(agent_id: str) -> str:
    """What failures of an assistant are counted under."""
    return f"agent:{agent_id}"


def evolve(state: Toolset, recorded: Recorded) -> Toolset:
    """The state after an event. Never refuses: what was written has happened."""
    version = state.version + isinstance(recorded.event, _TOOLSET_EVENTS)
    return replace(state, position=recorded.position, version=version, **_changes(state, recorded))


_TOOLSET_EVENTS: Final = get_args(ToolsetEvent)


def _changes(state: Toolset, recorded: Recorded) -> dict[str, Any]:
    """The fields of the state that an event changes."""
    event = recorded.event
    match event:
        case SyncRequested():
            request = Request(recorded.position, recorded.recorded_at, event, recorded.traceparent)
            return {
                "open_requests": _with_request(state, request),
                "failures": _reset_by_save(state.failures, event.agent_id),
            }
        case ToolRegistrationStarted() | ToolUpdateStarted() | AssistantLinkStarted():
            attempt = Attempt(recorded.recorded_at, event)
            return {"attempts": _with(state.attempts, event.attempt_id, attempt)}
        case ToolRegistered() | ToolUpdated():
            ref = ToolRef(event.name, event.vapi_tool_id, event.definition_version, event.definition_hash)
            return {
                "tools": _with(state.tools, event.name, ref),
                "attempts": _without(state.attempts, event.attempt_id),
                "failures": _without(state.failures, tool_subject(event.name)),
            }
        case AssistantLinked():
            return {
                "attempts": _without(state.attempts, event.attempt_id),
                "failures": _without(state.failures, agent_subject(event.agent_id)),
            }
        case AssistantSynced():
            return {
                "open_requests": _still_open(state, event.agent_id, event.settled_through),
                "sequence": state.sequence if event.sequence is None else event.sequence,
                "failures": _without(state.failures, agent_subject(event.agent_id)),
                "looks": _without(state.looks, event.agent_id),
            }
        case AssistantSyncFailed():
            return {
                "open_requests": _still_open(state, event.agent_id, event.settled_through),
                "sequence": event.sequence,
                "looks": _looks_after_failure(state, event),
            }
        case SyncAttemptFailed():
            return _failed(state, event)
        case ToolVanished(name=name):
            subject = tool_subject(name)
            return {
                "tools": _without(state.tools, name),
                "attempts": {id_: a for id_, a in state.attempts.items() if a.subject != subject},
                "failures": _without(state.failures, subject),
                # Every assistant that names the dead id fails its next call.
                "org_wide_through": recorded.position,
                "org_wide_cause": "drift",
            }
        case OrgRegistered(tier=tier):
            return {"tier": tier}
        case OrgTierChanged(tier=tier):
            return {"tier": tier, "org_wide_through": recorded.position, "org_wide_cause": "tier"}
        case AssistantRemoved():
            return {"org_wide_through": recorded.position}
        case OrgClosed():
            return {"closed": True, "org_wide_through": recorded.position}
        case RequestUnreadable():
            request = Request(recorded.position, recorded.recorded_at, event, recorded.traceparent)
            return {"open_requests": _with_request(state, request)}
        case AssistantDiverged(sequence=sequence):
            return {"sequence": sequence}
        case DriftDetected():
            return {}
        case OrgSettled(settled_through=through):
            done = state.org_wide_through is not None and state.org_wide_through <= through
            return {"org_wide_through": None, "org_wide_cause": None} if done else {}
        case BlueprintPublished():
            raise AssertionError("a blueprint's events are in no org's stream")
        case _:
            assert_never(event)


def _looks_after_failure(state: Toolset, event: AssistantSyncFailed) -> Mapping[str, datetime]:
    if event.agent_id is None:
        return state.looks
    if event.look_at is None:
        return _without(state.looks, event.agent_id)
    return _with(state.looks, event.agent_id, event.look_at)


def _failed(state: Toolset, event: SyncAttemptFailed) -> dict[str, Any]:
    failure = Failure(event.failures, event.code, event.retry_at, event.definition_hash)
    attempts, looks = state.attempts, state.looks
    if event.end != "unknown" and event.attempt_id is not None:
        attempts = _without(attempts, event.attempt_id)
    kind, _, agent_id = event.subject.partition(":")
    if kind == "agent" and event.retry_at is None:
        looks = _without(looks, agent_id)
    elif kind == "agent" and event.retry_at is not None and agent_id not in state.open_requests:
        looks = _with(looks, agent_id, event.retry_at)  # no request keeps it in mind
    return {"attempts": attempts, "failures": _with(state.failures, event.subject, failure), "looks": looks}


def _reset_by_save(failures: Mapping[str, Failure], agent_id: str) -> Mapping[str, Failure]:
    """A save lifts what only a save can lift. What merely waits keeps its count and due time, or saves would hammer."""

    def lifted(subject: str, failure: Failure) -> bool:
        if subject == agent_subject(agent_id):
            return failure.retry_at is None or failure.code == OUTDATED_CODE
        return subject.startswith("tool:") and failure.retry_at is None

    if not any(lifted(subject, failure) for subject, failure in failures.items()):
        return failures
    return {subject: failure for subject, failure in failures.items() if not lifted(subject, failure)}


def _with_request(state: Toolset, request: Request) -> Mapping[str | None, tuple[Request, ...]]:
    before = state.open_requests.get(request.agent_id, ())
    return {**state.open_requests, request.agent_id: (*before, request)}


def _still_open(state: Toolset, agent_id: str | None, through: int) -> Mapping[str | None, tuple[Request, ...]]:
    mine = state.open_requests.get(agent_id, ())
    rest = tuple(request for request in mine if request.position > through)
    if rest:
        return {**state.open_requests, agent_id: rest}
    return _without(state.open_requests, agent_id)


def _with(mapping: Mapping[K, V], key: K, value: V) -> Mapping[K, V]:
    return {**mapping, key: value}


def _without(mapping: Mapping[K, V], key: K) -> Mapping[K, V]:
    if key not in mapping:
        return mapping
    return {k: v for k, v in mapping.items() if k != key}
