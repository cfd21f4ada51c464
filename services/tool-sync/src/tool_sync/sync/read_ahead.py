"""Reading assistants while their tools are being made: a save then waits for the slower of the two calls, not for both.

    POST /tool ──────────┐
    GET /assistant ──────┴─► PATCH /assistant

What was read serves a link that is due within a second, as what somebody edits after the read and before the link
would be overwritten; and only for the state that it was read under, as a save that has come since may have replaced
the assistant. In any other case the link reads again.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tool_sync.domain.plan.steps import LinkAssistant
from tool_sync.sync.write_guard import WriteGuard
from zerotouch_platform.vapi.json import Json

SECONDS_MAX: Final = 1.0
"""From the sending of the read to the link that it serves."""
PAUSE_SECONDS: Final = 30.0
"""Under load, or beside a slow Vapi, every read ahead would come too early, and would be made twice."""


@dataclass(frozen=True, slots=True)
class _Read:
    through: int
    reloads: int
    sent_at: float
    answer: asyncio.Task[Json]


class ReadAhead:
    """The reads of one run, by assistant: the links' own reads, begun before the links are due."""

    def __init__(self, guard: WriteGuard) -> None:
        self._guard = guard
        self._reads: dict[str, _Read] = {}
        self._unwanted: list[asyncio.Task[Json]] = []

    def start(self, links: Iterable[LinkAssistant]) -> None:
        """Begin to read the assistants of these links, each once for the state as it is."""
        if self._guard.context.reads_ahead.late_at + PAUSE_SECONDS > self._guard.context.clock.monotonic():
            return
        for link in links:
            before = self._reads.get(link.assistant.assistant_id)
            if before is None or not self._serves(before, link):
                self._forget(link.assistant.assistant_id)
                self._reads[link.assistant.assistant_id] = self._begin(link)

    async def read(self, link: LinkAssistant, guard: WriteGuard) -> Json:
        """The assistant of a link that is due now; ``guard`` is the link's, for a read that was not made ahead.

        Raises what :meth:`WriteGuard.look` raises.
        """
        begun = self._reads.get(link.assistant.assistant_id)
        if begun is not None and self._serves(begun, link):
            # Looked at before the wait as well: what is late already is not waited for.
            try:
                document = None if self._is_late(begun) else await begun.answer
            except BaseException:
                # Tried again, the link reads by itself: this answer would be the same for ever, a time that is past.
                if self._reads.get(link.assistant.assistant_id) is begun:
                    self._forget(link.assistant.assistant_id)
                raise
            # Two agents may name one assistant: what the one was served, and may write on, serves the other no more.
            is_unused = self._reads.get(link.assistant.assistant_id) is begun
            if document is not None and is_unused and self._serves(begun, link) and not self._is_late(begun):
                del self._reads[link.assistant.assistant_id]
                return document
            if self._is_late(begun):
                self._guard.context.reads_ahead.late_at = self._guard.context.clock.monotonic()
        self._forget(link.assistant.assistant_id)
        return await _look(guard, link)

    async def ended(self) -> None:
        """Wait for the reads that no link has asked for: what the key is told by an answer must reach it."""
        for assistant_id in tuple(self._reads):
            self._forget(assistant_id)
        if self._unwanted:
            await asyncio.wait(self._unwanted)

    def cancel(self) -> None:
        """End all reads, as the run is cut off."""
        for answer in (*self._unwanted, *(read.answer for read in self._reads.values())):
            answer.cancel()

    def _begin(self, link: LinkAssistant) -> _Read:
        sent_at = self._guard.context.clock.monotonic()
        answer = asyncio.create_task(_look(self._guard.in_lane(link.lane), link))
        # A failure that no link asks for any more is nobody's: the key was told of it.
        answer.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        return _Read(link.through, self._guard.writer.knowledge.reloads, sent_at, answer)

    def _forget(self, assistant_id: str) -> None:
        if (read := self._reads.pop(assistant_id, None)) is not None:
            self._unwanted.append(read.answer)

    def _serves(self, read: _Read, link: LinkAssistant) -> bool:
        return (read.through, read.reloads) == (link.through, self._guard.writer.knowledge.reloads)

    def _is_late(self, read: _Read) -> bool:
        return self._guard.context.clock.monotonic() - read.sent_at > SECONDS_MAX


async def _look(guard: WriteGuard, link: LinkAssistant) -> Json:
    return await guard.look(lambda: guard.context.vapi.get_assistant(link.assistant.assistant_id))
