"""Which contracts are answered: what every live process of assistant-api announces, as an event where it changed.

    assistant-api.contracts.v1 ─► newest announcement of each process ─► in all that live ─► ContractsAnswered

One process of tool-sync looks at a time. Where none of assistant-api lives, what was answered last stays: then no
version is answered better than another. Until a first announcement is read, what this release knows counts.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from tool_sync import db
from tool_sync.domain.events import AnsweredContract, ContractsAnswered
from tool_sync.domain.fleet import Fleet
from tool_sync.domain.fleet.rollout import Refused
from tool_sync.log import Log, LogUnavailable, UnknownEvent, tool_stream
from tool_sync.rollouts import command, turns
from tool_sync.settings import Settings
from zerotouch_contracts.answering import ContractsAnnounced, answered_by_all, read_announcement
from zerotouch_contracts.envelope import UndecodableRecord
from zerotouch_platform.kafka.reading import newest_records
from zerotouch_platform.kafka.topics import KafkaUnavailable
from zerotouch_platform.loops import Loop

LOOK_SECONDS: Final = 30.0
RECORDS_MAX: Final = 500
"""Newest of each partition: a process announces itself four times a minute, so these are many minutes of hundreds."""
TURN: Final = "~contracts"
"""No tool's name: whose turn it is, and the stream."""
ACTOR: Final = "tool-sync"

log = structlog.get_logger(__name__)


class AnsweredContracts:
    """``now`` is the database's time, about."""

    def __init__(
        self, settings: Settings, pool: db.Pool, event_log: Log, token: UUID, now: Callable[[], datetime]
    ) -> None:
        self._settings, self._pool, self._log, self._token, self._now = settings, pool, event_log, token, now
        self.loop: Final = Loop(
            self.run_once,
            LOOK_SECONDS,
            "Announced contracts are not read",
            (KafkaUnavailable, LogUnavailable, UnknownEvent, command.FleetContended, *db.WAITED_OUT_ERRORS),
            fault="Announced contracts failed for a fault of ours",
            level=logging.INFO,
        )

    async def run_once(self) -> bool:
        """Look, where it is this process's turn; True where something changed."""
        if not await turns.take(self._pool, TURN, self._token):
            return False
        announced = await self._announced()
        answered = answered_by_all(announced, self._now())
        if not answered:
            return False

        def decide(fleet: Fleet) -> ContractsAnswered | Refused:
            if fleet.answered == answered:
                return Refused("they are answered as before")
            return ContractsAnswered(tuple(AnsweredContract(name, contract) for name, contract in sorted(answered)))

        written = await command.write(self._log, tool_stream(TURN), decide, actor=ACTOR)
        if isinstance(written, Refused):
            return False
        log.info("Other contracts are answered", replicas=len(announced), contracts=len(answered))
        return True

    async def _announced(self) -> list[ContractsAnnounced]:
        """The newest announcement of each process that has not said goodbye; what cannot be read is passed over."""
        found: dict[UUID, ContractsAnnounced] = {}
        servers, topic = self._settings.kafka_bootstrap_servers, self._settings.contracts_topic
        for partition in await newest_records(servers, topic, RECORDS_MAX):
            for record in partition:
                try:
                    said = read_announcement(record.key, record.value, record.headers)
                except UndecodableRecord:
                    continue
                if isinstance(said, UUID):
                    found.pop(said, None)
                else:
                    found[said.replica] = said
        return list(found.values())
