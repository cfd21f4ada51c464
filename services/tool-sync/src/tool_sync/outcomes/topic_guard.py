"""Stands aside while a topic is ahead of the log: then the database was restored, and nobody has forked.

    not looked yet   nothing is written to Vapi: it may be a restored log; Kafka's own check says what is waited for
    ahead            nothing is written to Vapi or published until `tool-sync log fork`; records are still taken in
    not ahead        work; looked at again whenever a relay begins to lead, or the head has gone back

A replica that is merely late is never mistaken: a record is published after its event is committed, and the topic is
read before the log.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final
from uuid import UUID

import structlog

from tool_sync import db
from tool_sync.db import Pool
from tool_sync.log.head import read_log_head
from tool_sync.outcomes.published import ALL, OUTCOMES, PublishedTopic
from tool_sync.outcomes.replay import find_ahead
from tool_sync.settings import Settings
from zerotouch_platform.kafka.topics import KafkaUnavailable, TopicMissing
from zerotouch_platform.loops import Loop

log = structlog.get_logger(__name__)


class TopicGuard:
    """``on_change`` is called when work may begin; ``looked`` is set once the first look has ended.

    Its loop looks until it is known, and again when the log's head has gone back.
    """

    def __init__(self, settings: Settings, pool: Pool, log_id: UUID, on_change: Callable[[], None]) -> None:
        self._settings, self._pool, self._log_id, self._on_change = settings, pool, log_id, on_change
        self._is_known = False
        self._head = 0
        self.looked = asyncio.Event()
        self.problem: str | None = None
        self.replaced: str | None = None
        self.loop: Final = Loop(
            self.run_once,
            lambda: settings.log_check_seconds if self._is_known else settings.start_retry_seconds,
            "The outcomes topic is not known yet",
            (KafkaUnavailable, *db.WAITED_OUT_ERRORS),
            level=logging.DEBUG,
        )

    @property
    def writes_suspended(self) -> bool:
        """Whether nothing may be written to Vapi now."""
        return not self._is_known or self.problem is not None or self.replaced is not None

    async def look(self) -> str | None:
        """Look now; the problem, or None. Raises `KafkaUnavailable`, and what a database raises that is away."""
        found = await asyncio.gather(*(self._ahead(published) for published in ALL))
        problem = next((one for one in found if one is not None), None)
        if problem is not None and self.problem is None:
            log.error("A topic is ahead of the log", reason=problem, alarm=True)
        was_suspended = self.writes_suspended
        self._is_known, self.problem = True, problem
        if was_suspended and not self.writes_suspended:
            self._on_change()
        return problem

    async def _ahead(self, published: PublishedTopic) -> str | None:
        """What shows that this topic is ahead. One that was never created shows nothing; its relay says so."""
        settings, topic = self._settings, self._settings.topic_of(published.topic)
        try:
            ahead = await find_ahead(self._pool, self._log_id, settings.kafka_bootstrap_servers, topic, published)
        except TopicMissing:
            if published is OUTCOMES:
                raise
            return None
        if not ahead:
            return None
        return (
            f"{topic} is ahead of the log: {ahead[0].event_id} at partition {ahead[0].partition} offset"
            f" {ahead[0].offset} is not in it, so the database was restored; see docs/runbooks/restore.md"
        )

    async def why_not_publish(self) -> str | None:
        """Why nothing may be published, or None. Looks now, unless the loop knows of a problem and looks again."""
        if problem := self.problem or self.replaced:
            return problem
        try:
            return await self.look()
        except KafkaUnavailable as error:
            return str(error)

    def appended(self, head: int) -> None:
        """This process has stored events up to ``head``: a log that ends before it has gone back."""
        self._head = max(self._head, head)

    async def run_once(self) -> None:
        """Look at the log's head, and at the topic where that is due."""
        try:
            await self._look_at_head()
        finally:
            self.looked.set()

    async def _look_at_head(self) -> None:
        before = self._head  # what is appended during the query may be above what it finds
        log_id, head = await read_log_head(self._pool)
        if log_id != self._log_id:
            self.replaced = f"the log is now {log_id}, and this process still works on {self._log_id}: restart it"
            return
        if head < before:
            self._is_known, self._head = False, head
        else:
            self._head = max(self._head, head)
        if self.writes_suspended:
            await self.look()
