"""Follows a topic of tool-sync's into a state, and rebuilds that state: from the topic, from the feed, from a snapshot.

The hand-over from a rebuild to the topic is exact: the topic's ends are read before the feed is, so everything below
them is in the feed already, everything above is read from the topic, and what is in both is left out by its sequence.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from zerotouch_contracts.envelope import Headers, UndecodableRecord
from zerotouch_contracts.kafka import Watch, new_consumer
from zerotouch_contracts.subscriber.delivery import Delivered, Enveloped, FleetDelivered, decode, decode_fleet
from zerotouch_contracts.subscriber.errors import LogChanged
from zerotouch_contracts.subscriber.feed import Pages
from zerotouch_contracts.subscriber.rebuild import Rebuild, stop_consumer
from zerotouch_contracts.subscriber.sequencer import SequencerOf
from zerotouch_contracts.subscriber.state import Marks, StateOf
from zerotouch_contracts.subscriber.unknown import PassedOver, Unknown
from zerotouch_contracts.topics import FLEET, OUTCOMES

log = logging.getLogger(__name__)

POLL_MILLISECONDS: Final = 500
BATCH_RECORDS: Final = 500

Records = Mapping[TopicPartition, Sequence[ConsumerRecord[Any, Any]]]


@dataclass(frozen=True, slots=True)
class Rebuilding:
    """How far a rebuild is: ``done`` of ``total``, offsets on the topic, positions on the feed."""

    done: int
    total: int


OnProgress = Callable[[Rebuilding], None]


def _say_nothing(_: Rebuilding) -> None:
    return


D = TypeVar("D", bound=Enveloped[Any])
Decode = Callable[[bytes | None, bytes | None, Headers], D | Unknown]


class TopicReader(Generic[D]):
    """One subscriber, a member of consumer group ``group_id``; ``run_forever`` until :meth:`stop`.

    Any number of instances of a group may follow, each with its own state or all with one; a rebuild needs the group
    for itself. ``on_log_changed``: what to do when the log is another one (after a restore); ``rebuild`` does so from
    the feed, since the topic holds records of both. ``passed_over`` counts messages of types that are newer than this
    release; whoever installs a newer one rebuilds to have them applied.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        group_id: str,
        *,
        state: StateOf[D],
        feed: Pages[D],
        topic: str,
        decode: Decode[D],
        on_log_changed: Literal["stop", "rebuild"] = "stop",
    ) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._group_id = group_id
        self._state = state
        self._feed = feed
        self._topic = topic
        self._decode = decode
        self._on_log_changed = on_log_changed
        self._stopping = asyncio.Event()
        self._consumer: AIOKafkaConsumer | None = None
        self.passed_over = PassedOver()
        self._sequencer = self._sequencer_at(Marks())

    async def start(self) -> None:
        """Load the marks and join the group."""
        self._sequencer = self._sequencer_at(await self._state.load())
        consumer = self._make_consumer()
        try:
            await consumer.start()
        except BaseException:
            await stop_consumer(consumer)
            raise
        consumer.subscribe([self._topic])
        self._consumer = consumer

    async def run_forever(self) -> None:
        """Follow until :meth:`stop`. What is raised has changed nothing: mend its reason and start again.

        Raises what :mod:`.errors` lists, aiokafka's ``KafkaError``, also where its consumer stands still for a minute
        with records waiting, and whatever the state raises.
        """
        while not self._stopping.is_set():
            await self.start()
            watch = Watch()
            try:
                while not self._stopping.is_set():
                    await self.run_once()
                    await watch.look(self._consumer)
            except LogChanged as changed:
                if self._on_log_changed == "stop":
                    raise
                log.warning("Rebuilding from the feed: %s", changed)
                await self.close()
                await self.rebuild_from_feed()
            finally:
                await self.close()

    async def run_once(self) -> int:
        """Take in one batch and commit its offsets; how many records it had."""
        assert self._consumer is not None, "start first"
        batches = await self._consumer.getmany(timeout_ms=POLL_MILLISECONDS, max_records=BATCH_RECORDS)
        if batches:
            await self._take_in(batches)
            await self._consumer.commit({p: records[-1].offset + 1 for p, records in batches.items()})
        return sum(len(records) for records in batches.values())

    async def stop(self) -> None:
        """End :meth:`run_forever` after the batch at hand."""
        self._stopping.set()

    async def close(self) -> None:
        """Leave the group."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await stop_consumer(consumer)

    async def rebuild_from_topic(self, on_progress: OnProgress = _say_nothing) -> None:
        """Wipe the state and read the topic from its beginning to its present end; the group goes on from there."""
        async with self._rebuild() as rebuild:
            await self._begin()
            begins, ends = rebuild.begins, rebuild.ends
            total, at = sum(ends.values()) - sum(begins.values()), dict(begins)
            await rebuild.consumer.seek_to_beginning(*ends)
            on_progress(Rebuilding(0, total))
            while any(at[p] < end for p, end in ends.items()):
                batches = await rebuild.consumer.getmany(timeout_ms=POLL_MILLISECONDS, max_records=BATCH_RECORDS)
                if batches:
                    await self._take_in(batches)
                    at |= {p: records[-1].offset + 1 for p, records in batches.items()}
                    on_progress(Rebuilding(min(total, sum(at.values()) - sum(begins.values())), total))
            await rebuild.commit(at)

    async def rebuild_from_feed(self, on_progress: OnProgress = _say_nothing) -> None:
        """Wipe the state and read the feed from its beginning to its present head, then go on with the topic."""
        async with self._rebuild() as rebuild:
            await self._begin()
            await self._read_feed(0, on_progress)
            await rebuild.commit(rebuild.ends)

    async def rebuild_from_snapshot(
        self, load: Callable[[], Awaitable[int]], on_progress: OnProgress = _say_nothing
    ) -> None:
        """Wipe the state, have ``load`` fill it from a snapshot, read the feed from there, then go on with the topic.

        ``load`` stores what the snapshot says and returns the position that it names (``as_of_position``).
        """
        async with self._rebuild() as rebuild:
            await self._begin()
            position = await load()
            await self._read_feed(position, on_progress)
            await rebuild.commit(rebuild.ends)

    def _rebuild(self) -> Rebuild:
        assert self._consumer is None, "rebuild before start, or after close"
        return Rebuild(self._bootstrap_servers, self._topic, self._group_id, self._make_consumer())

    async def _begin(self) -> None:
        await self._state.wipe()
        self._sequencer = self._sequencer_at(Marks())

    async def _read_feed(self, after: int, on_progress: OnProgress) -> None:
        self._sequencer = self._sequencer_at(Marks(position=after))
        async for page in self._feed.pages(after):
            admitted = await self._sequencer.admit(page.events)
            await self._state.apply(admitted, self._sequencer.marks(position=page.scanned_through))
            on_progress(Rebuilding(page.scanned_through - after, page.head - after))

    async def _take_in(self, batches: Records) -> None:
        incoming = [d for records in batches.values() for record in records if (d := decoded(record, self._decode))]
        admitted = await self._sequencer.admit(incoming)
        if (marks := self._sequencer.marks()).last:
            await self._state.apply(admitted, marks)

    def _sequencer_at(self, marks: Marks) -> SequencerOf[D]:
        return SequencerOf(marks, self._feed, self.passed_over)

    def _make_consumer(self) -> AIOKafkaConsumer:
        return new_consumer(
            bootstrap_servers=self._bootstrap_servers,
            group_id=self._group_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=10_000,
            heartbeat_interval_ms=2_000,
            max_poll_interval_ms=300_000,
            isolation_level="read_uncommitted",
        )


class OutcomeReader(TopicReader[Delivered]):
    """One subscriber of the outcomes; :class:`TopicReader` says the rest."""

    def __init__(
        self,
        bootstrap_servers: str,
        group_id: str,
        *,
        state: StateOf[Delivered],
        feed: Pages[Delivered],
        topic: str = OUTCOMES.name,
        on_log_changed: Literal["stop", "rebuild"] = "stop",
    ) -> None:
        super().__init__(
            bootstrap_servers,
            group_id,
            state=state,
            feed=feed,
            topic=topic,
            decode=decode,
            on_log_changed=on_log_changed,
        )


class FleetReader(TopicReader[FleetDelivered]):
    """One subscriber of what becomes of tools and rollouts; :class:`TopicReader` says the rest."""

    def __init__(
        self,
        bootstrap_servers: str,
        group_id: str,
        *,
        state: StateOf[FleetDelivered],
        feed: Pages[FleetDelivered],
        topic: str = FLEET.name,
        on_log_changed: Literal["stop", "rebuild"] = "stop",
    ) -> None:
        super().__init__(
            bootstrap_servers,
            group_id,
            state=state,
            feed=feed,
            topic=topic,
            decode=decode_fleet,
            on_log_changed=on_log_changed,
        )


def decoded(record: ConsumerRecord[Any, Any], decode: Decode[D]) -> D | Unknown | None:
    """What a record brings, or None, logged, where it is no message of ours."""
    try:
        return decode(record.key, record.value, record.headers)
    except UndecodableRecord as error:
        log.warning("%s %s %s passed over: %s", record.topic, record.partition, record.offset, error.reason)
        return None
