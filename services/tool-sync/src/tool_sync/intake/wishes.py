"""What somebody wishes for an org, made true once: read, decide, append, on the org's stream as it stands.

The append names the version of the stream that was read before. Whatever came between (another wish, a deletion of the
org) makes it a conflict, and the wish is decided anew: also for a process that slept between read and append. One that
dies before the append has changed nothing; after it, the same wish finds itself fulfilled and writes nothing.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Generic, TypeVar, cast
from uuid import UUID, uuid4

from tool_sync.domain.events import OrgEvent
from tool_sync.log import Conflict, EventLog, fact, org_stream
from tool_sync.release import SERVICE_VERSION

TRIES_MAX: Final = 20
"""Each conflict means that the org's stream grew within milliseconds; so many in a row are a fault elsewhere."""

E = TypeVar("E", bound=OrgEvent)
R = TypeVar("R")


@dataclass(eq=False)
class Contended(Exception):
    """The org's stream grew at every try; nothing was stored."""

    org_id: UUID

    def __str__(self) -> str:
        return f"org-{self.org_id}: {TRIES_MAX} conflicts in a row; try again"


@dataclass(frozen=True, slots=True)
class WishStored(Generic[E]):
    """Stored just now: the event with its place, and who made it."""

    event: E
    position: int
    recorded_at: datetime
    actor: str


@dataclass(frozen=True, slots=True)
class AlreadySo:
    """It was as wished: nothing was written."""


@dataclass(frozen=True, slots=True)
class Wisher:
    """Who asks, for the event's meta. ``actor``: see :func:`tool_sync.queries.tool_settings.who`."""

    actor: str
    traceparent: str | None = None


async def make_true(
    log: EventLog,
    org_id: UUID,
    decide: Callable[[], Awaitable[tuple[int, E | R | None]]],
    kinds: tuple[type[E], ...],
    *,
    source: str,
    wisher: Wisher,
) -> WishStored[E] | AlreadySo | R:
    """Append the event that ``decide`` answers, on the version of the org's stream that it answers with it.

    ``decide`` reads anew each time, the version first; None: it is already so; what is none of ``kinds`` is a refusal.
    Raises `LogUnavailable` (stored or not: the same wish may be sent again), `AppendRejected`, :class:`Contended`, and
    what ``decide`` raises.
    """
    for _ in range(TRIES_MAX):
        version, decided = await decide()
        if decided is None:
            return AlreadySo()
        if not isinstance(decided, kinds):
            return cast(R, decided)
        request = fact(
            org_stream(org_id), org_id, decided, source=source, cause=str(uuid4()), actor=wisher.actor,
            service_version=SERVICE_VERSION, traceparent=wisher.traceparent,
        )  # fmt: skip
        result = await log.append(replace(request, expected_version=version))
        if not isinstance(result, Conflict):
            # A duplicate is this very append, whose first answer was lost.
            return WishStored(decided, result.first_position, result.recorded_at, wisher.actor)
    raise Contended(org_id)
