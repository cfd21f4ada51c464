"""The fence around every write to Vapi: announce, send only at once, and know what the answer means.

0. the key allows it: a request is taken before anything is announced, for a read as well
1. the announcement (``…Started``) is in the log before anything is sent
2. it is sent only if less than the send window has passed, on the monotonic clock, since before the append was
   queued, and only while the lease is ours: a process that slept in between sends nothing
3. the answer is clean, or the attempt stays open until the settle time
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any, TypeVar
from uuid import UUID

import structlog

from tool_sync.domain.commands import FailStep
from tool_sync.domain.events import CustomPart, ToolTextLost
from tool_sync.domain.fleet import Fleet
from tool_sync.domain.plan.due import retry_time
from tool_sync.domain.plan.steps import Lane
from tool_sync.domain.subject import Subject, agent_of
from tool_sync.domain.toolset import Started, Toolset
from tool_sync.domain.wanted import WantedTool
from tool_sync.publishing.overlay import Texts, missing, worded
from tool_sync.sync.asking import KeyHeld, Turn, admit, ask, ask_admitted, note
from tool_sync.sync.context import Context
from tool_sync.sync.writer import Writer
from tool_sync.vapi.failures import Kind, VapiFailure
from zerotouch_contracts.errors import ErrorCode

T = TypeVar("T")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WriteGuard:
    """What one step needs to write to Vapi and to read from it. Whatever is sent raises :class:`KeyHeld` where it may
    not be."""

    context: Context
    writer: Writer
    holds_lease: Callable[[], bool]
    turn: Turn

    @property
    def state(self) -> Toolset:
        """What the run knows of its org now; what a step beside this one has just written is in it."""
        return self.writer.knowledge.state

    @property
    def fleet(self) -> Fleet:
        """The fleet as of the moment at which the run has read its org."""
        return self.writer.knowledge.fleet

    async def payload(self, tool: WantedTool) -> dict[str, Any] | ToolTextLost:
        """The body of ``POST /tool`` and ``PATCH /tool`` for the run's org; or that some of its words are not stored.

        Read before anything is announced: the announcement says with which words.
        """
        document = self.fleet.document(tool.name, tool.definition_hash)
        assert document is not None, f"{tool.name} is wanted by a definition that was published"
        # As of before the texts are read: one that is set while they are read is stored.
        set_at = self.state.chosen_at.get(tool.name)
        texts = await self.texts(tool.overlay)
        if lost := missing(tool.overlay, texts):
            # The clinic gets its tool all the same; somebody has to know, and set the words again.
            log.error("Words of a clinic are lost", org_id=str(self.writer.org_id), tool=tool.name, hashes=lost)
            return ToolTextLost(tool.name, lost, set_at)
        return worded(self.context.document_for(document, self.writer.org_id), tool.overlay, texts)

    async def texts(self, overlay: Sequence[CustomPart]) -> Texts:
        """The texts of the run's org that these parts name, as far as they are stored."""
        if not overlay:
            return {}
        return await self.context.store.texts(self.writer.org_id, [part.hash for part in overlay])

    def in_lane(self, lane: Lane) -> "WriteGuard":
        """The same for another step, of this lane."""
        return replace(self, turn=Turn(lane))

    async def send(
        self,
        started: Started,
        subject: Subject,
        call: Callable[[], Awaitable[T]],
        definition_hash: str | None = None,
        *,
        before: datetime | None = None,
    ) -> T | None:
        """Announce the write and make it; None where it was not wanted any more, or failed and that is in the log.

        ``before``: the clinic's change window closes then, and nothing that an order changes is begun after it.

        A 404 is the caller's to judge and is raised as :class:`VapiFailure`; the attempt is closed by then.
        """
        if not self.holds_lease():
            return None
        await admit(self.context, self.turn)
        if before is not None and self.context.clock.now() >= before:
            await self.context.key.unused()
            return None
        # The clock starts before the append is queued: the settle time of whoever looks for this write counts from the
        # announcement's time in the log, which may be as early as this.
        queued_at = self.context.clock.monotonic()
        try:
            announced = await self.writer.write((started,))
        except BaseException:
            # Announced or not, nothing was sent: the request goes back to the key, and whoever has the org next looks.
            await self.context.key.unused()
            raise
        waited = self.context.clock.monotonic() - queued_at
        if not announced:
            # The log shows that it is not wanted any more, or it has these bytes since nobody knows when.
            await self.context.key.unused()
            return None
        self.context.concurrency.note(waited)
        # This process may have slept since: by now another worker may have looked, found nothing, and sent its own.
        if waited >= self.context.limits.send_window_seconds or not self.holds_lease():
            await self.context.key.unused()
            # Not counted where somebody else has the org by now, who knows nothing of it: then at once.
            missed = replace(self.missed(subject, started.attempt_id, definition_hash), counted=self.holds_lease())
            await self.writer.write((missed,))
            return None
        return await self._make(call, subject, started.attempt_id, definition_hash)

    async def _make(
        self, call: Callable[[], Awaitable[T]], subject: Subject, attempt_id: UUID, definition_hash: str | None
    ) -> T | None:
        """Make the call that was announced; where it fails, write down how the attempt ended."""
        try:
            return await ask_admitted(self.context, call)
        except VapiFailure as failure:
            held = await note(self.context, failure)
            await self._keep_words(subject, failure)
            failed = self.failed(subject, failure, attempt_id, definition_hash)
            # In the log before anything is raised: an attempt without its end stays open for the settle time.
            await self.writer.write((replace(failed, counted=held is None),))
            if held is not None:
                raise KeyHeld(held) from failure
            if failure.status == 404:
                raise
            return None

    async def recorded(
        self, subject: Subject, work: Callable[[], Awaitable[T]], assistant_id: str | None = None
    ) -> T | None:
        """What ``work`` returns, made of :meth:`look`; None where one failed and the failure is in the log.

        ``assistant_id`` is the assistant that it is about, where it is about one.
        """
        try:
            return await work()
        except VapiFailure as failure:
            await self._keep_words(subject, failure)
            failed = self.failed(subject, failure, None, None)
            await self.writer.write((replace(failed, assistant_id=assistant_id),))
            return None

    async def look(self, call: Callable[[], Awaitable[T]]) -> T:
        """One read from Vapi, tried a few times where that may help. Raises :class:`VapiFailure`."""
        limits = self.context.limits
        for tried in count(1):
            try:
                return await ask(self.context, call, self.turn)
            except VapiFailure as failure:
                if failure.kind is not Kind.RETRYABLE or tried >= limits.read_tries_max:
                    raise
            await asyncio.sleep(limits.read_retry_seconds * 2 ** (tried - 1) * self.context.jitter())
        raise AssertionError("the last try returns or raises")

    async def _keep_words(self, subject: Subject, failure: VapiFailure) -> None:
        if failure.words:
            org_id, trace_id = self.writer.org_id, self.writer.trace_id
            await self.context.store.keep_words(failure, org_id=org_id, agent_id=agent_of(subject), trace_id=trace_id)

    def failed(
        self, subject: Subject, failure: VapiFailure, attempt_id: UUID | None, definition_hash: str | None
    ) -> FailStep:
        """The command that records a failure and its due time."""
        now = self.context.clock.now()
        retry_at: datetime | None = None
        if failure.end == "unknown":
            retry_at = now + self.context.policy.settle
        elif failure.retryable:
            retry_at = self.retry_at(subject)
        if retry_at is not None and failure.retry_after_seconds is not None:
            retry_at = max(retry_at, now + timedelta(seconds=failure.retry_after_seconds))
        log.warning(
            "Vapi call failed", subject=subject, code=failure.code.value, end=failure.end, status=failure.status,
            detail=failure.detail, fields=failure.fields, retry_at=retry_at.isoformat() if retry_at else None,
        )  # fmt: skip
        return FailStep(subject, attempt_id, failure.end, failure.code, retry_at, definition_hash)

    def missed(self, subject: Subject, attempt_id: UUID, definition_hash: str | None = None) -> FailStep:
        """The command that records that nothing was sent, as it was too late for it. Soon again: Vapi did no wrong."""
        soon = min(self.retry_at(subject), self.context.clock.now() + self.context.policy.settle)
        return FailStep(subject, attempt_id, "not_sent", ErrorCode.SEND_WINDOW_MISSED, soon, definition_hash)

    def retry_at(self, subject: Subject) -> datetime:
        """When a retryable failure of this subject is tried again."""
        context = self.context
        return retry_time(self.state, subject, context.clock.now(), context.jitter(), context.policy)
