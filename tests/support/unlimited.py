"""A key of Vapi's that knows no limit of its own."""

from dataclasses import dataclass
from datetime import datetime

from tool_sync.vapi.rate_limit.durations import rate_limit_ends, refusal_ends
from tool_sync.vapi.rate_limit.port import Answer, CallLane, KnownKey

NOTHING = KnownKey()


@dataclass(frozen=True, slots=True)
class Unlimited:
    """Admits every call. A call that was told to wait is still put off for as long; no other call is."""

    refused_seconds: float = 60.0
    fingerprint: str | None = None
    known: KnownKey = NOTHING

    async def open(self) -> None:
        """Nothing waits for another key."""

    async def admit(self, now: datetime, lane: CallLane) -> datetime | None:
        """Always now."""
        return None

    async def unused(self) -> None:
        """Nothing was taken."""

    async def note(
        self,
        answer: Answer,
        now: datetime,
        jitter: float,
        retry_after_seconds: float | None = None,
        code: str | None = None,
    ) -> datetime | None:
        """When the one who was told so may ask again."""
        match answer:
            case "rate_limited":
                return rate_limit_ends(now, jitter, retry_after_seconds)
            case "refused":
                return refusal_ends(now, self.refused_seconds, jitter)
            case _:
                return None
