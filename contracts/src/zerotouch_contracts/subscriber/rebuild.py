"""A consumer of a whole topic, from which a state is rebuilt; the group goes on where it ends."""

import logging
from collections.abc import Mapping
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalGenerationError, UnknownMemberIdError

from zerotouch_contracts.kafka import drop_consumer, new_admin
from zerotouch_contracts.subscriber.errors import GroupInUse, TopicMissing

log = logging.getLogger(__name__)

STOP_SECONDS_MAX: Final = 4.0


class Rebuild:
    """A consumer of all partitions, not a member of the group, with the topic's ends as they were at the start."""

    def __init__(self, bootstrap_servers: str, topic: str, group_id: str, consumer: AIOKafkaConsumer) -> None:
        self.consumer = consumer
        self.begins: dict[TopicPartition, int] = {}
        self.ends: dict[TopicPartition, int] = {}
        self._bootstrap_servers, self._topic, self._group_id = bootstrap_servers, topic, group_id

    async def __aenter__(self) -> "Rebuild":
        partitions = await _partitions_of(self._bootstrap_servers, self._topic)
        await self.consumer.start()
        try:
            self.consumer.assign(partitions)
            self.begins = await self.consumer.beginning_offsets(partitions)
            self.ends = await self.consumer.end_offsets(partitions)
            # Refused while the group has members, before anything is wiped; and whoever dies in the middle goes on
            # from the topic's beginning, which the sequences make harmless.
            await self.commit(self.begins)
        except BaseException:
            await stop_consumer(self.consumer)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await stop_consumer(self.consumer)

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Let the group go on at ``offsets``. Raises :class:`GroupInUse`."""
        try:
            await self.consumer.commit(dict(offsets))
        except (CommitFailedError, UnknownMemberIdError, IllegalGenerationError) as error:
            raise GroupInUse(self._group_id) from error


async def _partitions_of(bootstrap_servers: str, topic: str) -> list[TopicPartition]:
    admin = new_admin(bootstrap_servers)
    await admin.start()
    try:
        (described,) = await admin.describe_topics([topic])
    finally:
        await admin.close()
    numbers = sorted(partition["partition"] for partition in described["partitions"])
    if not numbers:
        raise TopicMissing(topic)
    return [TopicPartition(topic, number) for number in numbers]


async def stop_consumer(consumer: AIOKafkaConsumer) -> None:
    """Leave the group, or end for good where the broker does not answer."""
    if reason := await drop_consumer(consumer, STOP_SECONDS_MAX):
        log.warning("the consumer did not close cleanly: %s", reason)
