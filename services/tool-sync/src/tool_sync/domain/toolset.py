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
    RetireReason,
    RetryRequested,
    SurplusDeleted,
    SurplusDeleteStarted,
    SurplusFound,
    SurplusSearched,
    SweepStarted,
    SyncAttemptFailed,
    SyncRequested,
    ToolDeleted,
    ToolDeleteStarted,
    ToolDriftSeen,
    ToolRef,
    ToolRegistered,
    ToolRegistrationStarted,
    ToolReinstated,
    ToolRetired,
    ToolsetEvent,
    ToolSettingChanged,
    ToolUpdated,
    ToolUpdateStarted,
    ToolVanished,
    TrafficSplitSeen,
)

K = TypeVar("K")
V = TypeVar("V")

FOLD: Final = 5
"""Rises whenever the shape or the meaning of :class:`Toolset` changes: snapshots of another number are not used."""

TIER_DEFAULT: Final = "basic"
UNREADABLE: Final = "?"
"""Stands for the agent of requests that could not be read, here and in ``pending_syncs``; no agent's id. Not None: a
snapshot is JSON, whose keys are text."""
OUTDATED_CODE: Final = "TS-305"
"""``ErrorCode.ASSISTANT_OUTDATED``; the domain imports the standard library only."""

VERSIONS_MAX: Final = 50
"""Labels that are kept of one tool; a pin to an older one counts as not answered."""

SWEEP_SUBJECT: Final = "sweep"
SEARCH_SUBJECT: Final = "search"

Started = ToolRegistrationStarted | ToolUpdateStarted | ToolDeleteStarted | SurplusDeleteStarted | AssistantLinkStarted
"""The announcements of writes to Vapi. No two have the same fields: a snapshot tells them apart by these."""


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
    started: Started

    @property
    def subject(self) -> str:
        match self.started:
            case ToolRegistrationStarted() | ToolUpdateStarted() | ToolDeleteStarted():
                return tool_subject(self.started.name)
            case SurplusDeleteStarted():
                return surplus_subject(self.started.vapi_tool_id)
            case AssistantLinkStarted():
                return agent_subject(self.started.agent_id)
            case _:
                assert_never(self.started)


@dataclass(frozen=True, slots=True)
class Failure:
    """Failures of one subject in a row. ``retry_at`` is None where waiting does not help; ``at``: when it was noted."""

    count: int
    code: str
    retry_at: datetime | None
    definition_hash: str | None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """An open request and its place."""

    position: int
    recorded_at: datetime
    asked: SyncRequested | RequestUnreadable
    traceparent: str | None = None

    @property
    def agent_id(self) -> str:
        return self.asked.agent_id if isinstance(self.asked, SyncRequested) else UNREADABLE


@dataclass(frozen=True, slots=True)
class Retired:
    """A tool that is not wanted any more, until it is deleted. ``doomed``: a deletion was sent and not seen to happen.

    A doomed id is never linked again, as the deletion may still land.
    """

    ref: ToolRef
    reason: RetireReason
    delete_at: datetime
    doomed: bool = False


@dataclass(frozen=True, slots=True)
class Surplus:
    """A tool of ours at Vapi beside the one that the org has. ``since`` is when it was made, as far as is known."""

    name: str
    since: datetime


@dataclass(frozen=True, slots=True)
class UnconfirmedCreation:
    """Registrations of a tool that were not found at Vapi after the settle time, but may have landed even later.

    ``since``: when the first was announced; ``closed_at``: when the newest was given up.
    """

    since: datetime
    closed_at: datetime


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
    open_requests: Mapping[str, tuple[Request, ...]] = field(default_factory=dict)
    """By agent, in the order in which they arrived; unreadable ones under :data:`UNREADABLE`."""
    org_wide_through: int | None = None
    org_wide_cause: str | None = None
    failures: Mapping[str, Failure] = field(default_factory=dict)
    looks: Mapping[str, datetime] = field(default_factory=dict)
    disabled: frozenset[str] = frozenset()
    """Tools that a setting switched off, by name."""
    retired: Mapping[str, Retired] = field(default_factory=dict)
    surplus: Mapping[str, Surplus] = field(default_factory=dict)
    """By the tool's id at Vapi. None of them is ever adopted or linked, so the sweep may have it."""
    gone: tuple[str, ...] = ()
    """Ids at Vapi of tools that do not exist any more: an assistant that changed hands may still name one."""
    suspects: Mapping[str, UnconfirmedCreation] = field(default_factory=dict)
    swept_at: datetime | None = None
    versions: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By a tool's id at Vapi, and Vapi's label of a version: the definition version that it holds."""
    drifted: Mapping[str, ToolDriftSeen] = field(default_factory=dict)
    """By name: tools that somebody changed or deleted at Vapi, until they are as the log says again."""

    @property
    def tool_ids(self) -> frozenset[str]:
        """Every id at Vapi that the log knows as this org's, whatever is to become of it."""
        refs = (*self.tools.values(), *(retired.ref for retired in self.retired.values()))
        return frozenset((*(ref.vapi_tool_id for ref in refs), *self.surplus))

    @property
    def requests(self) -> tuple[Request, ...]:
        """All open requests in the order of their positions."""
        return tuple(sorted((r for mine in self.open_requests.values() for r in mine), key=lambda r: r.position))


@dataclass(frozen=True, slots=True)
class Assistant:
    """A row of the projection ``assistants``: what is known of one assistant.

    ``saved`` holds its last saved (revision, model hash), newest last; ``base_hash`` and ``written_hash`` are the model
    hashes before and after our own newest write, ``linked_revision`` the newest save that it knew of, ``linked`` what
    it linked, ``synced`` what the newest outcome named, ``code`` its code or the reason why it names none. ``split``
    are Vapi's labels of the versions that a traffic split sends calls to, None where no split is known;
    ``linked_version`` is the label of the version that our newest write made.
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
    code: str | None = None
    split: tuple[str, ...] | None = None
    linked_version: str | None = None


def tool_subject(name: str) -> str:
    """What failures of a tool are counted under."""
    return f"tool:{name}"


def agent_subject(agent_id: str) -> str:
    """What failures of an assistant are counted under."""
    return f"agent:{agent_id}"


def surplus_subject(vapi_tool_id: str) -> str:
    """What failures to delete a surplus tool are counted under."""
    return f"surplus:{vapi_tool_id}"


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
                "failures": _reset_by_save(state, event.agent_id, recorded.recorded_at),
            }
        case (
            ToolRegistrationStarted()
            | ToolUpdateStarted()
            | ToolDeleteStarted()
            | SurplusDeleteStarted()
            | AssistantLinkStarted()
        ):
            attempt = Attempt(recorded.recorded_at, event)
            return {"attempts": _with(state.attempts, event.attempt_id, attempt)}
        case ToolRegistered() | ToolUpdated():
            return {
                "tools": _with(state.tools, event.name, _ref(event)),
                "attempts": _without(state.attempts, event.attempt_id),
                "failures": _without(state.failures, tool_subject(event.name)),
                "versions": _with_version(state, event),
                "drifted": _without(state.drifted, event.name),
                "gone": tuple(tool_id for tool_id in state.gone if tool_id != event.vapi_tool_id),
                **_replaced(state, event.name, event.vapi_tool_id, recorded.recorded_at),
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
            return _failed(state, event, recorded.recorded_at)
        case ToolVanished(name=name, vapi_tool_id=tool_id):
            subject = tool_subject(name)
            return {
                "gone": (*state.gone, tool_id),
                "tools": _without(state.tools, name),
                "attempts": {id_: a for id_, a in state.attempts.items() if a.subject != subject},
                "failures": _without(state.failures, subject),
                "drifted": _without(state.drifted, name),
                # Every assistant that names the dead id fails its next call.
                "org_wide_through": recorded.position,
                "org_wide_cause": "drift",
            }
        case OrgRegistered(tier=tier) if state.closed:
            # A new life under the same id: what the old one left behind is looked through like any change.
            return {"tier": tier, "closed": False, "org_wide_through": recorded.position, "org_wide_cause": "tier"}
        case OrgRegistered(tier=tier):
            return {"tier": tier}
        case OrgTierChanged(tier=tier):
            return {"tier": tier, "org_wide_through": recorded.position, "org_wide_cause": "tier"}
        case ToolSettingChanged(name=name, enabled=enabled):
            return {
                "disabled": state.disabled - {name} if enabled else state.disabled | {name},
                "org_wide_through": recorded.position,
                "org_wide_cause": "setting",
            }
        case TrafficSplitSeen(agent_id=agent_id):
            return {
                "looks": _with(state.looks, agent_id, recorded.recorded_at),
                "org_wide_through": recorded.position,
            }
        case ToolDriftSeen(name=name):
            return {
                "drifted": _with(state.drifted, name, event),
                "org_wide_through": recorded.position,
                "org_wide_cause": "drift",
            }
        case RetryRequested(agent_id=agent_id):
            return {
                "failures": _lifted_by_operator(state, agent_id),
                "org_wide_through": recorded.position,
                "org_wide_cause": "retry",
            }
        case ToolRetired(name=name):
            return {
                "tools": _without(state.tools, name),
                "retired": _with(state.retired, name, Retired(_ref(event), event.reason, event.delete_at)),
                "failures": _without(state.failures, tool_subject(name)),
            }
        case ToolReinstated(name=name):
            return {
                "tools": _with(state.tools, name, _ref(event)),
                "retired": _without(state.retired, name),
                "failures": _without(state.failures, tool_subject(name)),
            }
        case ToolDeleted(name=name, vapi_tool_id=tool_id):
            return {
                "gone": (*state.gone, tool_id),
                "retired": _without(state.retired, name),
                "attempts": _without(state.attempts, event.attempt_id),
                "failures": _without(state.failures, tool_subject(name)),
            }
        case SurplusFound(name=name, vapi_tool_id=tool_id):
            since = event.created_at or recorded.recorded_at
            # Org-wide work, so that whoever has the org by now makes it due.
            return {
                "surplus": _with(state.surplus, tool_id, Surplus(name, since)),
                "org_wide_through": recorded.position,
            }
        case SurplusSearched(names=names, through=through):
            return {
                "suspects": {
                    name: suspect
                    for name, suspect in state.suspects.items()
                    if name not in names or suspect.closed_at > through
                },
                "failures": _without(state.failures, SEARCH_SUBJECT),
            }
        case SweepStarted():
            return {"swept_at": recorded.recorded_at, "failures": _without(state.failures, SWEEP_SUBJECT)}
        case SurplusDeleted(vapi_tool_id=tool_id):
            return {
                "gone": (*state.gone, tool_id),
                "surplus": _without(state.surplus, tool_id),
                "attempts": _without(state.attempts, event.attempt_id),
                "failures": _without(state.failures, surplus_subject(tool_id)),
            }
        case AssistantRemoved(agent_id=agent_id):
            return {
                "org_wide_through": recorded.position,
                "looks": _without(state.looks, agent_id),
                "failures": _without(state.failures, agent_subject(agent_id)),
            }
        case OrgClosed():
            return {"closed": True, "org_wide_through": recorded.position, "looks": {}}
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


def _ref(event: ToolRegistered | ToolUpdated | ToolRetired | ToolReinstated) -> ToolRef:
    return ToolRef(event.name, event.vapi_tool_id, event.definition_version, event.definition_hash)


def _replaced(state: Toolset, name: str, vapi_tool_id: str, at: datetime) -> dict[str, Any]:
    """A tool that was doomed when another was registered in its place is surplus; one that was adopted is not."""
    retired, surplus = state.retired, _without(state.surplus, vapi_tool_id)
    before = retired.get(name)
    if before is not None:
        retired = _without(retired, name)
        if before.ref.vapi_tool_id != vapi_tool_id:
            surplus = _with(surplus, before.ref.vapi_tool_id, Surplus(name, at))
    return {"retired": retired, "surplus": surplus}


def _with_version(state: Toolset, event: ToolRegistered | ToolUpdated) -> Mapping[str, Mapping[str, int]]:
    """Vapi's label of what the tool holds now. Of a tool that is gone for good nobody asks any more."""
    kept = {tool_id: labels for tool_id, labels in state.versions.items() if tool_id in state.tool_ids}
    if event.vapi_version is None:
        return kept
    labels = _with(kept.get(event.vapi_tool_id, {}), event.vapi_version, event.definition_version)
    return {**kept, event.vapi_tool_id: dict(list(labels.items())[-VERSIONS_MAX:])}


def _looks_after_failure(state: Toolset, event: AssistantSyncFailed) -> Mapping[str, datetime]:
    if event.agent_id is None:
        return state.looks
    if event.look_at is None:
        return _without(state.looks, event.agent_id)
    return _with(state.looks, event.agent_id, event.look_at)


def _failed(state: Toolset, event: SyncAttemptFailed, at: datetime) -> dict[str, Any]:
    failure = Failure(event.failures, event.code, event.retry_at, event.definition_hash, at)
    attempts, looks = state.attempts, state.looks
    attempt = attempts.get(event.attempt_id) if event.attempt_id is not None else None
    if event.end != "unknown" and event.attempt_id is not None:
        attempts = _without(attempts, event.attempt_id)
    if not event.counted or _is_about_another(state, event, attempt):
        return {"attempts": attempts}
    kind, _, agent_id = event.subject.partition(":")
    if kind == "agent" and event.retry_at is None:
        looks = _without(looks, agent_id)
    elif kind == "agent" and event.retry_at is not None and agent_id not in state.open_requests and not state.closed:
        looks = _with(looks, agent_id, event.retry_at)  # no request keeps it in mind
    return {
        "attempts": attempts,
        "failures": _with(state.failures, event.subject, failure),
        "looks": looks,
        **(_not_found(state, attempt, at) if attempt is not None and event.end == "absent" else {}),
        # A list that could not be read was none.
        **({"swept_at": None} if event.subject == SWEEP_SUBJECT else {}),
    }


def _is_about_another(state: Toolset, event: SyncAttemptFailed, attempt: Attempt | None) -> bool:
    """Whether it is about an assistant that the agent had before: its newest save names another one.

    A worker that slept may write it after that save has arrived, without a conflict: arrivals are in another stream.
    """
    kind, _, agent_id = event.subject.partition(":")
    about = event.assistant_id
    if attempt is not None and isinstance(attempt.started, AssistantLinkStarted):
        about = attempt.started.assistant_id
    requests = state.open_requests.get(agent_id, ()) if kind == "agent" else ()
    newest = requests[-1].asked if requests else None
    return about is not None and isinstance(newest, SyncRequested) and newest.assistant_id != about


def _not_found(state: Toolset, attempt: Attempt, at: datetime) -> dict[str, Any]:
    """A write that had not happened by the settle time may still happen, if its sender slept and wakes up."""
    match attempt.started:
        case ToolRegistrationStarted(name=name):
            before = state.suspects.get(name)
            since = before.since if before is not None else attempt.started_at
            return {"suspects": _with(state.suspects, name, UnconfirmedCreation(since, at))}
        case ToolDeleteStarted(name=name) if name in state.retired:
            return {"retired": _with(state.retired, name, replace(state.retired[name], doomed=True))}
        case _:
            return {}


def _lifted_by_operator(state: Toolset, agent_id: str | None) -> Mapping[str, Failure]:
    """An operator lifts refusals and back-offs alike; what is still unknown keeps its due time."""
    unknown = {attempt.subject for attempt in state.attempts.values()}

    def lifted(subject: str) -> bool:
        mine = subject.startswith("tool:") or agent_id is None or subject == agent_subject(agent_id)
        return mine and subject not in unknown

    return {subject: failure for subject, failure in state.failures.items() if not lifted(subject)}


def _reset_by_save(state: Toolset, agent_id: str, at: datetime) -> Mapping[str, Failure]:
    """A save lifts what only a save can lift. What merely waits keeps its count and due time, or saves would hammer.

    Except where nobody waited: then it was put off for long, and the first save that waits makes it due.
    """

    def idle(subject: str) -> bool:
        return not state.open_requests if subject.startswith("tool:") else agent_id not in state.open_requests

    def mine(subject: str) -> bool:
        return subject == agent_subject(agent_id) or subject.startswith("tool:")

    def after(subject: str, failure: Failure) -> Failure | None:
        if not mine(subject):
            return failure
        if failure.retry_at is None or (failure.code == OUTDATED_CODE and subject == agent_subject(agent_id)):
            return None
        return replace(failure, retry_at=at) if failure.retry_at > at and idle(subject) else failure

    if not any(mine(subject) for subject in state.failures):
        return state.failures
    changed = ((subject, after(subject, failure)) for subject, failure in state.failures.items())
    return {subject: failure for subject, failure in changed if failure is not None}


def _with_request(state: Toolset, request: Request) -> Mapping[str, tuple[Request, ...]]:
    before = state.open_requests.get(request.agent_id, ())
    return {**state.open_requests, request.agent_id: (*before, request)}


def _still_open(state: Toolset, agent_id: str | None, through: int) -> Mapping[str, tuple[Request, ...]]:
    agent_id = agent_id or UNREADABLE
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
