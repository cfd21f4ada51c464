"""Tells every reader of `tool-sync.blueprint.v1` which versions are published, after each change of a tool.

    the fleet, what clinics have ─► a record of each tool ─► is it what the topic holds? ─► sent, where it is not

The topic itself is the note of what was sent: it is read when a process takes the turn, and once a minute. So a
process that dies between sending and anything else has sent a record that its successor finds there, or not at all; a
topic that was deleted is filled anew; and what a process sent that slept meanwhile is followed by what is so now.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from uuid import UUID, uuid4

import structlog

from tool_sync import db
from tool_sync.domain.fleet import Fleet
from tool_sync.log import Log, LogUnavailable, UnknownEvent
from tool_sync.queries.held import HeldVersion, held_versions
from tool_sync.rollouts import turns
from tool_sync.rollouts.command import fleet_events
from tool_sync.rollouts.published import published_of
from tool_sync.settings import Settings
from tool_sync.sync.context import FleetView
from zerotouch_contracts.blueprint import Told, ToolPublished, published_record, read_published
from zerotouch_contracts.envelope import UndecodableRecord
from zerotouch_contracts.kafka import TROUBLE
from zerotouch_platform.kafka.producer import producing
from zerotouch_platform.kafka.reading import newest_records
from zerotouch_platform.kafka.topics import KafkaUnavailable
from zerotouch_platform.loops import Loop

LOOK_SECONDS: Final = 3.0
"""Between looks at the fleet: well below the time for which a turn is had."""
TOPIC_SECONDS: Final = 60.0
"""Between looks at what the topic holds, while this process alone writes to it."""
COUNT_SECONDS: Final = 300.0
"""Between counts of what clinics have while nothing is published or ordered: a roll-back goes on after its event."""
SEND_SECONDS_MAX: Final = 10.0
RECORDS_MAX: Final = 500
"""Newest of each partition that are read: compaction leaves one a tool, and a change adds one."""
TURN: Final = "~blueprint"
"""No tool's name: whose turn it is."""

log = structlog.get_logger(__name__)


class BlueprintTopic:
    """``suspended``: the log may be one that was set back. ``monotonic`` is an argument so that tests can decide it."""

    def __init__(
        self,
        settings: Settings,
        pool: db.Pool,
        event_log: Log,
        log_id: UUID,
        token: UUID,
        suspended: Callable[[], bool] = lambda: False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._pool, self._log, self._log_id = settings, pool, event_log, log_id
        self._token, self._suspended, self._monotonic = token, suspended, monotonic
        self._fleet = FleetView()
        self._wanted: Sequence[ToolPublished] = ()
        self._counted_at: float | None = None
        self._on_topic: Mapping[str, Told] | None = None
        self._read_at = 0.0
        self.loop: Final = Loop(
            self.run_once,
            LOOK_SECONDS,
            "What is published is not told",
            (KafkaUnavailable, LogUnavailable, UnknownEvent, *TROUBLE, *db.WAITED_OUT_ERRORS),
            fault="What is published was not told for a fault of ours",
            at_end=lambda: turns.give_up(pool, token),
        )

    async def run_once(self) -> int:
        """Look, where it is this process's turn, and send what the topic lacks; how many records."""
        if self._suspended() or not await turns.take(self._pool, TURN, self._token):
            self._on_topic = None  # another process may write to it from now on
            return 0
        if self._on_topic is None or self._monotonic() - self._read_at > TOPIC_SECONDS:
            self._on_topic = None
            self._on_topic, self._read_at = await self._read_topic(), self._monotonic()
        lacking = [one for one in await self._look() if not self._holds(self._on_topic.get(one.tool), one)]
        if lacking:
            before, self._on_topic = self._on_topic, None  # not known until Kafka has them all
            self._on_topic = {**before, **await self._send(lacking)}
        return len(lacking)

    async def _look(self) -> Sequence[ToolPublished]:
        """What every reader should know. Made anew where the fleet has changed, and every few minutes."""
        before = self._fleet.position
        fleet = self._fleet.take_in(await fleet_events(self._log, before))
        at = self._monotonic()
        if self._counted_at is None or before < fleet.position or at - self._counted_at > COUNT_SECONDS:
            self._counted_at = None  # where the count fails, the next look makes it
            held = await held_versions(self._pool)
            self._wanted = _of_all(fleet, held)
            self._counted_at = at
        return self._wanted

    def _holds(self, told: Told | None, wanted: ToolPublished) -> bool:
        """Whether a reader that begins now learns what is so: also by the words of a process that has seen more."""
        if told is None or told.log_id != self._log_id:  # a log that is another one now is followed no more
            return False
        return told.message.says_as(wanted) or told.message.position > wanted.position

    async def _read_topic(self) -> Mapping[str, Told]:
        """Of each tool the record that compaction would leave; what cannot be read is as good as not there."""
        found: dict[str, Told] = {}
        servers, topic = self._settings.kafka_bootstrap_servers, self._settings.blueprint_topic
        for partition in await newest_records(servers, topic, RECORDS_MAX):
            for record in partition:
                try:
                    told = read_published(record.key, record.value, record.headers)
                except UndecodableRecord:
                    if record.key is not None:
                        found.pop(record.key.decode("utf-8", "replace"), None)
                else:
                    found[told.message.tool] = told
        return found

    async def _send(self, messages: Sequence[ToolPublished]) -> Mapping[str, Told]:
        now = await db.read_now(self._pool)
        async with producing(
            self._settings.kafka_bootstrap_servers,
            "tool-sync-blueprint",
            seconds_max=SEND_SECONDS_MAX,
            cut_off="blueprint topic: a producer did not close cleanly",
        ) as producer:
            for message in messages:
                record = published_record(message, id=uuid4(), log_id=self._log_id, at=now)
                async with asyncio.timeout(SEND_SECONDS_MAX):
                    await producer.send_and_wait(
                        self._settings.blueprint_topic, record.value, record.key, headers=list(record.headers)
                    )
        log.info("What is published was told", tools=[message.tool for message in messages])
        return {message.tool: Told(message, self._log_id, now) for message in messages}


def _of_all(fleet: Fleet, held: Sequence[HeldVersion]) -> Sequence[ToolPublished]:
    by_name = {name: {one.version for one in held if one.name == name} for name in fleet.names}
    said = (published_of(fleet, name, by_name[name]) for name in fleet.names)
    return [one for one in said if one is not None]
