"""Reads a topic as a member of a group: batches of raw records, one after the other, each at least once.

    connect   when the topic is there, and it was looked what Kafka had lost of it
    batch     records of the partitions whose turn it is, each partition's in its order
    handle    the service's own; when it returns, the offsets are committed; where it raises, the same batch comes again
    watch     beside all that: aiokafka's consumer can stop for good without an exception, also within a commit

After any trouble of Kafka's the consumer is dropped, and a new one begins at the committed offsets.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalGenerationError, IllegalStateError, UnknownMemberIdError

from zerotouch_contracts.kafka import TROUBLE, ConsumerStuck, Progress, drop_consumer, new_consumer
from zerotouch_platform.kafka.jumps import Jumps
from zerotouch_platform.kafka.topics import KafkaUnavailable, require_topics
from zerotouch_platform.kafka.watch import TopicWatch
from zerotouch_platform.loops import cut_off, in_one_line, pause

Batch = Sequence[ConsumerRecord]

POLL_MILLISECONDS: Final = 500
START_SECONDS_MAX: Final = 60.0
STOP_SECONDS_MAX: Final = 2.0
LOOK_SECONDS_MAX: Final = 10.0
LAST_LOOK_SECONDS_MAX: Final = 1.0
REBALANCE_SECONDS: Final = 30.0
POLL_SECONDS_MAX: Final = 300.0
"""Above the longest time within ``handle``: a member that is evicted for not polling never rejoins (aiokafka 1187)."""
FETCH_BYTES: Final = 4 * 1024 * 1024
"""Of one partition: about 6,000 records. With Kafka's 1 MB one full partition waits for the network every 1,700."""
NOT_LIVE_AFTER_STUCK: Final = 3
"""Connecting anew did not help for so many times the stuck limit: the process should be replaced."""
MOVED: Final = (CommitFailedError, IllegalGenerationError, IllegalStateError, UnknownMemberIdError)
"""What a commit that comes too late raises: the partitions are somebody else's, who begins at the last commit."""

_log: Final = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Membership:
    """Who reads what, and how patiently. ``records_max``: of a batch."""

    bootstrap_servers: str
    topic: str
    group_id: str
    client_id: str
    records_max: int
    retry_seconds_max: float
    retry_seconds: float = 0.2
    session_seconds: float = 10
    heartbeat_seconds: float = 2
    watch_seconds: float = 10
    stuck_seconds_max: float = 60


class BatchConsumer:
    """``handle`` takes in a batch, and must bear to see records again; its errors of the kinds ``transient`` are waited
    out, any other is an alarm and waited out, too: to pass over a record would lose it.

    ``transaction`` opens one on the service's database, in which is noted what Kafka lost.
    """

    def __init__(
        self,
        membership: Membership,
        handle: Callable[[Batch], Awaitable[None]],
        *,
        transaction: Callable[[], AbstractAsyncContextManager[Any]],
        transient: tuple[type[Exception], ...],
    ) -> None:
        self._membership, self._handle, self._transient = membership, handle, transient
        self._jumps: Final = Jumps()
        self._topic_watch: Final = TopicWatch(
            membership.bootstrap_servers, membership.topic, membership.group_id, transaction, self._jumps
        )
        self._stopping = asyncio.Event()
        self._progress = Progress()
        self._full: frozenset[TopicPartition] = frozenset()
        self._holds_batch = False
        self._delay_seconds = membership.retry_seconds
        self.problem: str | None = "not connected yet"

    @property
    def wedged(self) -> str | None:
        """Set where reading stands still and connecting anew does not help; never while Kafka is down."""
        still = self._progress.still_seconds()
        if still < NOT_LIVE_AFTER_STUCK * self._membership.stuck_seconds_max:
            return None
        return f"records are waiting, and none has been read for {still:.0f} s"

    def behind_seconds(self) -> float:
        """How long ago all members of the group together had read everything that was there; infinite while unknown."""
        return self._topic_watch.caught_up.behind_seconds()

    def stop(self) -> None:
        """End :meth:`run_forever`: the batch at hand is finished first."""
        self._stopping.set()

    async def run_forever(self) -> None:
        """Read until :meth:`stop`; what is wrong is in ``problem``, and logged once per reason."""
        while not self._stopping.is_set():
            try:
                await self._session()
            except (KafkaUnavailable, *TROUBLE, *self._transient) as error:
                if isinstance(error, KafkaUnavailable):  # no restart brings the broker back, and saves work without it
                    self._progress = Progress()
                await self._wait_out(error)
        self.problem = "stopped"

    async def _session(self) -> None:
        """Connect, and read until it is stopped. Raises why it ends before that."""
        who = self._membership
        await require_topics(who.bootstrap_servers, [who.topic])
        await self._topic_watch.run_once()  # before anything is read: the group's next commit would hide a loss
        consumer, self._holds_batch = new_client(who), False
        try:
            async with asyncio.timeout(START_SECONDS_MAX):
                await consumer.start()
            self._works()
            await self._read_watched(consumer)
            # How far it was read must be known before the topic can be made again while nobody reads it. Not asked
            # through the consumer: its requests wait behind its long polls, half a second each, and there is only one.
            await self._look(None, LAST_LOOK_SECONDS_MAX)
        finally:
            if reason := await drop_consumer(consumer, STOP_SECONDS_MAX):
                _log.warning("consumer_cut_off", topic=who.topic, reason=reason)

    async def _read_watched(self, consumer: AIOKafkaConsumer) -> None:
        # Reading ends when it is stopped, watching never: what ends first says how it goes on.
        tasks = [asyncio.create_task(self._watch(consumer)), asyncio.create_task(self._read(consumer))]
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            await cut_off(*tasks)

    async def _watch(self, consumer: AIOKafkaConsumer) -> None:
        who = self._membership
        while True:
            await asyncio.sleep(who.watch_seconds)
            if reason := await self._progress.problem_of(consumer, who.stuck_seconds_max, busy=self._holds_batch):
                raise ConsumerStuck(reason)
            await self._look(consumer, LOOK_SECONDS_MAX)

    async def _look(self, consumer: AIOKafkaConsumer | None, seconds_max: float) -> None:
        try:
            async with asyncio.timeout(seconds_max):
                await self._topic_watch.run_once(consumer)
        except (*TROUBLE, *self._transient) as error:
            _log.warning("topic_not_looked_at", topic=self._membership.topic, reason=in_one_line(error))

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        while not self._stopping.is_set():
            if batch := await self.next_batch(consumer):
                self._jumps.read(batch)
                self._holds_batch = True
                try:
                    await self._handle(batch)
                except Exception as error:
                    _rewind(consumer, batch)
                    await self._wait_out(error)
                else:
                    self._works()
                    await self._commit(consumer)

    async def _commit(self, consumer: AIOKafkaConsumer) -> None:
        """Commit all that was read: it is handled, as batches are handled one by one."""
        self._holds_batch = False
        try:
            await consumer.commit()
        except MOVED as error:
            _log.warning("partitions_moved", topic=self._membership.topic, reason=in_one_line(error))

    async def next_batch(self, consumer: AIOKafkaConsumer) -> Batch:
        """Records of partitions that did not fill the last batches, where they have any; else of all.

        aiokafka hands out all that it has fetched of one partition before it looks at the next, so that one with
        thousands of waiting records would hold up the others for seconds.
        """
        limit = self._membership.records_max
        others = consumer.assignment() - self._full if self._full else ()
        found = await consumer.getmany(*others, timeout_ms=0, max_records=limit) if others else {}
        if not found:
            self._full = frozenset()
            found = await consumer.getmany(timeout_ms=POLL_MILLISECONDS, max_records=limit)
        batch = tuple(chain.from_iterable(found.values()))
        self._full = self._full | found.keys() if len(batch) == limit else frozenset()
        return batch

    def _works(self) -> None:
        if self.problem is not None:
            _log.info("consumer_works", topic=self._membership.topic, group=self._membership.group_id)
        self.problem, self._delay_seconds = None, self._membership.retry_seconds

    async def _wait_out(self, error: Exception) -> None:
        """Say what is wrong, once per reason, and wait: longer each time until it works again."""
        reason = in_one_line(error)
        if not isinstance(error, (KafkaUnavailable, *TROUBLE, *self._transient)):
            _log.error("batch_not_handled", topic=self._membership.topic, alarm=True, exc_info=error)
        elif reason != self.problem:
            _log.warning("consumer_waits", topic=self._membership.topic, reason=reason)
        self.problem = reason
        await pause(self._stopping, self._delay_seconds)
        self._delay_seconds = min(2 * self._delay_seconds, self._membership.retry_seconds_max)


def _rewind(consumer: AIOKafkaConsumer, batch: Batch) -> None:
    """Make the batch come again, of the partitions that are still ours."""
    firsts: dict[TopicPartition, int] = {}
    for record in batch:
        firsts.setdefault(TopicPartition(record.topic, record.partition), record.offset)
    for partition in firsts.keys() & consumer.assignment():
        consumer.seek(partition, firsts[partition])


def new_client(who: Membership) -> AIOKafkaConsumer:
    """aiokafka's consumer, not started, with every option that matters: its defaults lose messages."""
    return new_consumer(
        who.topic,
        bootstrap_servers=who.bootstrap_servers,
        client_id=who.client_id,
        group_id=who.group_id,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=int(who.session_seconds * 1000),
        heartbeat_interval_ms=int(who.heartbeat_seconds * 1000),
        rebalance_timeout_ms=int(REBALANCE_SECONDS * 1000),
        max_poll_interval_ms=int(POLL_SECONDS_MAX * 1000),
        isolation_level="read_uncommitted",
        max_partition_fetch_bytes=FETCH_BYTES,
    )
