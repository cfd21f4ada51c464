"""The fence around every write to Vapi: announce, send only at once, and know what the answer means.

1. the announcement (``…Started``) is in the log before anything is sent
2. it is sent only if less than the send window has passed, on the monotonic clock, since before the append was
   queued, and only while the lease is ours: a process that slept in between sends nothing
3. the answer is clean, or the attempt stays open until the settle time
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import structlog

from tool_sync.domain.decider import FailStep, Start
from tool_sync.domain.steps import retry_time
from tool_sync.reconciler.context import Context
from tool_sync.reconciler.writer import Writer
from tool_sync.vapi.failures import VapiFailure
from zerotouch_contracts.errors import ErrorCode

T = TypeVar("T")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Fence:
    """What one run needs to write to Vapi and to read from it."""

    context: Context
    writer: Writer
    holds_lease: Callable[[], bool]

    async def send(
        self, start: Start, subject: str, call: Callable[[], Awaitable[T]], definition_hash: str | None = None
    ) -> T | None:
        """Announce the write and make it; None where it was not wanted any more, or failed and that is in the log.

        A 404 is the caller's to judge and is raised as :class:`VapiFailure`; the attempt is closed by then.
        """
        queued_at = self.context.clock.monotonic()
        if not await self.writer.write((start,)):
            return None
        attempt_id = start.event.attempt_id
        waited = self.context.clock.monotonic() - queued_at
        self.context.pace.note(waited)
        if waited >= self.context.limits.send_window_seconds or not self.holds_lease():
            await self.writer.write(
                (
                    FailStep(
                        subject, attempt_id, "not_sent", ErrorCode.SEND_WINDOW_MISSED, self.retry_at(subject),
                        definition_hash,
                    ),
                )
            )  # fmt: skip
            return None
        try:
            return await call()
        except VapiFailure as failure:
            await self.writer.write((self.failed(subject, failure, attempt_id, definition_hash),))
            if failure.status == 404:
                raise
            return None

    async def read(self, subject: str, call: Callable[[], Awaitable[T]]) -> T | None:
        """Read from Vapi; None where that failed and the failure is in the log."""
        try:
            return await call()
        except VapiFailure as failure:
            await self.writer.write((self.failed(subject, failure, None, None),))
            return None

    def failed(
        self, subject: str, failure: VapiFailure, attempt_id: UUID | None, definition_hash: str | None
    ) -> FailStep:
        """The command that records a failure and its due time."""
        retry_at: datetime | None = None
        if failure.end == "unknown":
            retry_at = self.context.clock.now() + self.context.policy.settle
        elif failure.retryable:
            retry_at = self.retry_at(subject)
            if failure.code is ErrorCode.VAPI_RATE_LIMITED:
                retry_at = max(retry_at, self._after_rate_limit(failure))
        log.warning(
            "Vapi call failed", subject=subject, code=failure.code.value, end=failure.end, status=failure.status,
            detail=failure.detail, retry_at=retry_at.isoformat() if retry_at else None,
        )  # fmt: skip
        return FailStep(subject, attempt_id, failure.end, failure.code, retry_at, definition_hash)

    def retry_at(self, subject: str) -> datetime:
        """When a retryable failure of this subject is tried again."""
        context = self.context
        return retry_time(self.writer.state, subject, context.clock.now(), context.jitter(), context.policy)

    def _after_rate_limit(self, failure: VapiFailure) -> datetime:
        now = self.context.clock.now()
        if failure.retry_after_seconds is not None:
            return now + timedelta(seconds=failure.retry_after_seconds)
        # Vapi counts in UTC minutes and resets at the top of each (its SDK 3.0.0, read 2026-11); spread by the jitter.
        next_minute = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
        return next_minute + timedelta(seconds=5 * self.context.jitter())
