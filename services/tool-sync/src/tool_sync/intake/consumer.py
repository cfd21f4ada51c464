"""The one batch subscriber of the process, with every option that matters written out: FastStream's defaults lose
messages (automatic commits, only new records of a new group, topics made on the way, whole batches dropped for one
header that is no text).

The acknowledgement is ``commit()`` of all positions, which is right because batches are handled strictly one by one;
a failed batch is rewound to its first records.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import chain
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaMessage
from faststream.kafka.subscriber.usecase import BatchSubscriber

from tool_sync.settings import Settings
from zerotouch_contracts.kafka import steadied

Batch = tuple[ConsumerRecord[Any, Any], ...]
Handler = Callable[[Batch], Awaitable[None]]

LOGGER: Final = "tool_sync.faststream"
REBALANCE_SECONDS: Final = 30.0
POLL_SLACK_SECONDS: Final = 180.0
"""Above the longest wait inside the handler: a member that is evicted for not polling never rejoins (aiokafka 1187)."""
GRACEFUL_SECONDS: Final = 3.0
FETCH_BYTES: Final = 4 * 1024 * 1024
"""Of one partition: about 6,000 records. With Kafka's 1 MB one full partition waits for the network every 1,700."""


class MovedPartitions(logging.Filter):
    """A commit that comes too late is no failure: the partitions have moved, and who has them now reads on from the
    last commit. FastStream calls it critical.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let everything through, that as a warning."""
        if record.exc_info and isinstance(record.exc_info[1], CommitFailedError):
            record.levelno, record.levelname, record.exc_info = logging.WARNING, "WARNING", None
            record.msg, record.args = "intake: partitions have moved; what was not committed is read again", ()
        return True


_log: Final = logging.getLogger(LOGGER)
_log.setLevel(logging.ERROR)  # its warnings say that topics are not made on the way, which is on purpose
_log.addFilter(MovedPartitions())


def build(settings: Settings, handle: Handler) -> tuple[KafkaBroker, BatchSubscriber]:
    """A broker with one subscriber whose batches, raw records in partition order, go to ``handle``; not started."""
    broker = KafkaBroker(
        settings.kafka_bootstrap_servers.split(","),
        client_id="tool-sync",
        consumer_only=True,
        allow_auto_create_topics=False,
        graceful_timeout=GRACEFUL_SECONDS,
        apply_types=False,
        logger=_log,
        log_level=logging.DEBUG,
    )
    subscriber = broker.subscriber(
        settings.assistants_topic,
        batch=True,
        max_records=settings.intake_records_max,
        # Also the pause after an empty poll, and so the longest extra wait of a record.
        batch_timeout_ms=max(1, int(settings.intake_poll_seconds * 1000)),
        group_id=settings.consumer_group,
        # On the subscriber itself: the broker's policy is not always handed down.
        ack_policy=AckPolicy.NACK_ON_ERROR,
        auto_offset_reset="earliest",
        session_timeout_ms=int(settings.intake_session_seconds * 1000),
        heartbeat_interval_ms=int(settings.intake_heartbeat_seconds * 1000),
        rebalance_timeout_ms=int(REBALANCE_SECONDS * 1000),
        max_poll_interval_ms=int((settings.intake_database_wait_seconds_max + POLL_SLACK_SECONDS) * 1000),
        isolation_level="read_uncommitted",
        max_partition_fetch_bytes=FETCH_BYTES,
        no_reply=True,
        parser=_parse,
        decoder=_raw_records,
    )
    subscriber(handle)
    subscriber.__class__ = FairSubscriber  # FastStream has no place to say which class it makes
    return broker, subscriber


class FairSubscriber(BatchSubscriber):
    """Takes turns between partitions. aiokafka hands out all that it has fetched of one before it looks at the next, so
    a partition with thousands of waiting records would hold up the others of this process for seconds.
    """

    @property
    def builder(self) -> Callable[..., AIOKafkaConsumer]:
        """What makes its consumer: FastStream's own, which knows the broker's options."""
        make = super().builder
        return lambda *topics, **options: steadied(make(*topics, **options))

    _served: frozenset[TopicPartition] = frozenset()
    """The partitions that the last batches were of, as long as these were full."""

    async def get_msg(self, consumer: AIOKafkaConsumer) -> Batch:
        """The next batch: of partitions that have not been served, where they have anything; else of any."""
        others = consumer.assignment() - self._served if self._served else ()
        found = await consumer.getmany(*others, timeout_ms=0, max_records=self.max_records) if others else {}
        if not found:
            self._served = frozenset()
            found = await consumer.getmany(timeout_ms=self.batch_timeout_ms, max_records=self.max_records)
        records = tuple(chain.from_iterable(found.values()))
        if not records:
            await asyncio.sleep(self.batch_timeout_ms / 1000)
        is_full = len(records) == self.max_records
        self._served = self._served | found.keys() if is_full else frozenset()
        return records


async def _parse(records: Batch, original: Callable[[Batch], Awaitable[KafkaMessage]]) -> KafkaMessage:
    """FastStream's own parser, shown no headers: it decodes them as text and fails on null and binary ones."""
    message = await original(tuple(replace(record, headers=()) for record in records))
    message.raw_message = records
    return message


async def _raw_records(message: KafkaMessage) -> Any:
    return message.raw_message
