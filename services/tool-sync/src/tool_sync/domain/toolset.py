"""An org's state as a fold of its two streams: what is open, what we have, what failed and when to try again.

    Toolset = fold(evolve, Recorded events of org-<id> and toolset-<id> in position order)

It holds what concerns the org as a whole: tools, attempts without an answer, open requests. What is known of one
assistant is a row of the projection ``assistants`` (:class:`Assistant` here), loaded only for assistants with work, so
that an org's 5,000th assistant costs what its first did.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, assert_never
from uuid import UUID

from tool_sync.domain.change_window import TIME_ZONE_DEFAULT, ChangeWindow
from tool_sync.domain.events import (
    AssistantLinkStarted,
    CustomPart,
    Event,
    RequestUnreadable,
    RetireReason,
    SurplusDeleteStarted,
    SyncRequested,
    ToolDeleted,
    ToolDeleteStarted,
    ToolDriftSeen,
    ToolRef,
    ToolRegistered,
    ToolRegistrationStarted,
    ToolReinstated,
    ToolRetired,
    ToolUpdated,
    ToolUpdateStarted,
    ToolVanished,
)
from tool_sync.domain.subject import Subject, agent_subject, surplus_subject, tool_subject

FOLD: Final = 11
"""Rises whenever the shape or the meaning of :class:`Toolset` changes: snapshots of another number are not used."""

TIER_DEFAULT: Final = "basic"
UNREADABLE: Final = "?"
"""Stands for the agent of requests that could not be read, here and in ``pending_syncs``; no agent's id. Not None: a
snapshot is JSON, whose keys are text."""
OUTDATED_CODE: Final = "TS-305"
"""``ErrorCode.ASSISTANT_OUTDATED``; the domain imports the standard library only."""

GIVERS_MAX: Final = 50
"""Orders that are kept of one tool; one before them that was aborted holds the org no more."""
VERSIONS_MAX: Final = 50
"""Labels that are kept of one tool; a pin to an older one counts as not answered."""

Started = ToolRegistrationStarted | ToolUpdateStarted | ToolDeleteStarted | SurplusDeleteStarted | AssistantLinkStarted
"""The announcements of writes to Vapi. No two have the same fields: a snapshot tells them apart by these."""


TellsOfTool = ToolRegistered | ToolUpdated | ToolVanished | ToolRetired | ToolReinstated | ToolDeleted


def ref_of(event: TellsOfTool) -> ToolRef:
    """The tool that the event is about, with its definition after it."""
    return ToolRef(event.name, event.vapi_tool_id, event.definition_version, event.definition_hash)


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event with its place in the log."""

    position: int
    recorded_at: datetime
    event: Event
    traceparent: str | None = None
    actor: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A write to Vapi that was announced and has no answer yet."""

    started_at: datetime
    started: Started

    @property
    def subject(self) -> Subject:
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
    """Failures of one subject in a row. ``retry_at`` is None where waiting does not help; ``at``: when it was noted.

    ``assistant_id``: the assistant that an agent's failure is about, where that is known; it may have another since.
    """

    count: int
    code: str
    retry_at: datetime | None
    definition_hash: str | None
    at: datetime | None = None
    assistant_id: str | None = None
    overlay: tuple[CustomPart, ...] = ()
    """Of the write that failed."""


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
    """A tool that is no longer wanted, until it is deleted. ``deletion_sent``: it was not seen to happen.

    Its id is then never linked again, as the deletion may still land.
    """

    ref: ToolRef
    reason: RetireReason
    delete_at: datetime
    deletion_sent: bool = False


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
class ClinicPin:
    """The org stays at this definition of a tool, whatever is ordered, until the pin's end is in the log.

    ``position`` is that of the event that made it: by this a pin that replaced another one is told apart from it.
    """

    version: int
    definition_hash: str
    until: datetime
    position: int


@dataclass(frozen=True, slots=True)
class Begun:
    """All assistants were told at ``position`` to get or lose a tool by this order; None: as no order is left."""

    rollout_id: str | None
    position: int


@dataclass(frozen=True)  # without slots: the next state is a copy of this one's dict
class Toolset:
    """One org, folded up to ``position``; ``version`` is that of its toolset stream."""

    version: int = 0
    position: int = 0
    sequence: int = 0
    """Of the newest outcome; ``fleet_sequence``: of what is told on the fleet's topic."""
    fleet_sequence: int = 0
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
    since: datetime | None = None
    """When its first event was recorded."""
    decided_on: Mapping[str, int] = field(default_factory=dict)
    """By tool, the newest position of the fleet that a write for it, or its end, was decided on."""
    links_decided_on: int = 0
    """The same of all links: one number, as an org has many assistants. A link that is older is planned anew."""
    pins: Mapping[str, ClinicPin] = field(default_factory=dict)
    """By tool."""
    given_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By tool, the orders of its writes that have happened, newest last: one that was announced and then refused gives
    nothing, and must not hold the org when that order is aborted. All of them: when a later one is rolled back, the one
    before it holds again."""

    window: ChangeWindow | None = None
    time_zone: str = TIME_ZONE_DEFAULT
    kept: Mapping[str, str] = field(default_factory=dict)
    """By tool, the hash of the definition that it was made from last, whatever became of it; without those that an
    order took away, or that the clinic needed no longer."""
    kept_since: int | None = None
    """The position since which ``kept`` is not empty."""
    account: str | None = None
    """In which account at Vapi its tools were made or changed last; all of an org's are in one."""
    chosen_at: Mapping[str, int] = field(default_factory=dict)
    """By tool, the position of the newest setting."""
    tier_at: int = 0
    """The position at which the tier changed."""
    begun: Mapping[str, Begun] = field(default_factory=dict)
    """By tool, until it is so."""
    custom: Mapping[str, tuple[CustomPart, ...]] = field(default_factory=dict)
    """By tool, the org's own words, whether its version takes them or not."""
    overlays: Mapping[str, tuple[CustomPart, ...]] = field(default_factory=dict)
    """By tool, those that its newest write has brought to Vapi; without tools that have none."""

    @property
    def tool_ids(self) -> frozenset[str]:
        """Every id at Vapi that the log knows as this org's, whatever is to become of it."""
        refs = (*self.tools.values(), *(retired.ref for retired in self.retired.values()))
        return frozenset((*(ref.vapi_tool_id for ref in refs), *self.surplus))

    def is_open(self, subject: Subject) -> bool:
        """Whether a write about this subject was announced and has no answer yet."""
        return bool(self.attempts) and any(attempt.subject == subject for attempt in self.attempts.values())

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
