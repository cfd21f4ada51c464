"""What goes into the log and comes out of it, and the answers to an append."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from uuid_utils.compat import uuid5

from tool_sync.domain.events import Event

NAMESPACE = UUID("b0a4a9b4-5f6c-5d86-9a3b-0c2f6f4f7c11")
"""Of every event id. Never changed: stored events would not be recognised any more."""

SEPARATOR = "\x1f"


def event_id(stream: str, source: str, cause: str, type: str, n: int) -> UUID:  # noqa: A002
    """The id of the ``n``-th event of ``type`` that ``cause`` (an id, unique within ``source``) makes in ``stream``.

    The cause of an outside fact is its message; of a worker's decision, a random id made for that decision and used
    again only to send the same bytes after an unknown outcome.
    """
    return uuid5(NAMESPACE, SEPARATOR.join((stream, source, cause, type, str(n))))


def org_stream(org_id: UUID) -> str:
    """The stream of what arrives for an org."""
    return f"org-{org_id}"


def toolset_stream(org_id: UUID) -> str:
    """The stream of what we did for an org."""
    return f"toolset-{org_id}"


def tool_stream(name: str) -> str:
    """The stream of what is published of a tool."""
    return f"blueprint-{name}"


def rollout_stream(rollout_id: str) -> str:
    """The stream of one order."""
    return f"rollout-{rollout_id}"


@dataclass(frozen=True, slots=True)
class Meta:
    """Where an event comes from. ``traceparent`` is the W3C header of the span that made it."""

    causation_id: str
    correlation_id: str
    traceparent: str | None
    actor: str
    service_version: str


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to be stored, with its idempotency key (see `event_id`)."""

    event_id: UUID
    event: Event


@dataclass(frozen=True, slots=True)
class AppendRequest:
    """Events for one stream, all or none. ``org_id`` is null for ``blueprint-`` and ``rollout-`` streams.

    ``expected_version``: the stream's version that the events were decided on (0: a new stream); null: any will do.
    ``lease_token``: of the lease under which they were decided. Where it is the org's no longer, the org becomes due.
    """

    stream: str
    org_id: UUID | None
    expected_version: int | None
    events: tuple[NewEvent, ...]
    meta: Meta
    lease_token: UUID | None = None

    def __post_init__(self) -> None:
        assert self.events, f"{self.stream}: an append needs at least one event"


def fact(
    stream: str,
    org_id: UUID | None,
    event: Event,
    *,
    source: str,
    cause: str,
    actor: str,
    service_version: str,
    correlation_id: str | None = None,
    traceparent: str | None = None,
) -> AppendRequest:
    """An append of one event that is true whatever the stream holds. Sent again under its ``cause`` it is a duplicate.

    ``correlation_id`` is the cause where nothing else is said.
    """
    meta = Meta(cause, correlation_id or cause, traceparent, actor, service_version)
    new = NewEvent(event_id(stream, source, cause, type(event).__name__, 0), event)
    return AppendRequest(stream, org_id, None, (new,), meta)


def fleet_decision(
    stream: str,
    expected_version: int,
    events: Sequence[Event],
    *,
    source: str,
    cause: str,
    actor: str,
    service_version: str,
) -> AppendRequest:
    """An append of what was decided on the fleet: to a stream of no org, as that stream was read."""
    new = tuple(
        NewEvent(event_id(stream, source, cause, type(event).__name__, n), event) for n, event in enumerate(events)
    )
    meta = Meta(cause, cause, None, actor, service_version)
    return AppendRequest(stream, None, expected_version, new, meta)


@dataclass(frozen=True, slots=True)
class Appended:
    """Stored just now, at ``first_position`` and the positions after it; ``version`` is the last event's."""

    first_position: int
    version: int
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Stored by an earlier append of the same ids (perhaps our own, whose answer was lost). Permits no call to Vapi."""

    first_position: int
    version: int
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Conflict:
    """Not stored: the stream stands at ``version``, not at the expected one. Reload and decide again."""

    version: int


AppendResult: TypeAlias = Appended | Duplicate | Conflict


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it is in the log."""

    position: int
    stream: str
    version: int
    event_id: UUID
    org_id: UUID | None
    event: Event
    meta: Meta
    recorded_at: datetime
