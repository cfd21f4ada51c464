"""What the reconciler asks of a key: that of all replicas, or one of a test.

Times are the database's and come in as arguments, as the jitter does (in [0, 1)).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from tool_sync.domain.pauses import Pause

CallLane = Literal["save", "begun", "bulk"]
"""Whom a call is for. ``begun``: a further call of bulk work that was let begin; it waits for no pace."""

Answer = Literal["answered", "rate_limited", "refused", "broken"]
"""What a call says of its key: it works (whatever the status), 429, 401/402/403, or no answer or a 5xx."""


@dataclass(frozen=True, slots=True)
class KnownKey:
    """What is known of the key: its pauses of the last day, and when the newest ended by an answer."""

    pauses: tuple[Pause, ...] = ()
    lifted_at: datetime | None = None


class Key(Protocol):
    """Asked before each call, told after it."""

    @property
    def fingerprint(self) -> str | None:
        """Names the key without telling it; what an org waits for."""
        ...

    @property
    def known(self) -> KnownKey:
        """As data for a plan."""
        ...

    async def open(self) -> None:
        """Called once, before the first claim: what waits for another key is due now."""
        ...

    async def admit(self, now: datetime, lane: CallLane) -> datetime | None:
        """Take one request; the time to ask again where none may be made now."""
        ...

    async def unused(self) -> None:
        """The request that was admitted is not made."""
        ...

    async def note(
        self,
        answer: Answer,
        now: datetime,
        jitter: float,
        retry_after_seconds: float | None = None,
        code: str | None = None,
    ) -> datetime | None:
        """Learn from an answer; until when the key is paused now, if it is. ``code`` is the catalogue's, if known."""
        ...
