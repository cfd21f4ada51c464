"""Stands aside while `assistants.v1` is ahead of the rows: then the database was restored, and nobody has begun again.

ahead       saves are stored, calls are answered; nothing is written to Vapi and nothing is sent until
            `assistant-api restore`
not known   Kafka is away: saves go to Vapi all the same, as is promised; it is looked as soon as Kafka answers
not ahead   work; looked at again whenever a relay begins to lead
"""

import asyncio
from typing import Final
from uuid import UUID

import structlog

from assistant_api.db import DATABASE_AWAY, Database
from assistant_api.restore.ahead import find_ahead, newest_said
from assistant_api.settings import Settings
from zerotouch_platform.health import Health
from zerotouch_platform.kafka.topics import KAFKA_AWAY, require_topics
from zerotouch_platform.loops import in_one_line

_log: Final = structlog.get_logger()

LOOK_SECONDS_MAX: Final = 15.0
AWAY: Final = (*KAFKA_AWAY, *DATABASE_AWAY)


class TopicAhead(Exception):
    """The topic says what the rows know nothing of."""


class TopicGuard:
    """``writes_suspended`` until the first look has ended, and while the topic is ahead."""

    def __init__(self, settings: Settings, database: Database, health: Health) -> None:
        self._settings, self._database, self._health = settings, database, health
        self._log_id: UUID | None = None
        self._is_known = False
        self.writes_suspended = False

    async def begin(self, log_id: UUID) -> None:
        """Look for the first time; nothing is written to Vapi before that has ended. ``log_id``: of our messages."""
        self._log_id, self.writes_suspended = log_id, True
        try:
            await self.require_not_ahead()
        except TopicAhead:
            return
        except AWAY as error:
            _log.warning("topic_not_known", reason=in_one_line(error))
            self.writes_suspended = False

    async def require_not_ahead(self) -> None:
        """Look now. Raises :class:`TopicAhead`, and what the absence of Kafka or of the database raises."""
        assert self._log_id is not None, "begin first"
        await require_topics(self._settings.kafka_bootstrap_servers, self._settings.topics)
        async with asyncio.timeout(LOOK_SECONDS_MAX):
            newest = await newest_said(self._settings, self._log_id)
        async with self._database.connection() as connection:
            ahead = await find_ahead(connection, newest)
        self._is_known, self.writes_suspended = True, ahead is not None
        if ahead is None:
            self._health.works("restore")
            return
        who = f"organization {ahead.org_id}" + (f", agent {ahead.agent_id}" if ahead.agent_id else "")
        reason = (
            f"{self._settings.assistants_topic} is ahead of the rows of {who}: the database was restored;"
            " see docs/runbooks/restore-assistant-api.md"
        )
        if "restore" not in self._health.reasons():
            _log.error("topic_ahead", reason=reason, alarm=True)
        self._health.fails("restore", reason)
        raise TopicAhead(reason)

    async def run_once(self) -> None:
        """Look, unless it is known. Raises what :meth:`require_not_ahead` does."""
        if not self._is_known:
            await self.require_not_ahead()
