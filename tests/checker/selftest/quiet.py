"""When a group is at rest: nothing unsent, nothing unread, no work open, no answer missing."""

from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from tests.checker.selftest.group import PARTITIONS, Group
from tests.support.eventually import until

from devstack.databases import Service

ASSISTANTS_OPEN: Final = """
SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM saves WHERE state = 'open')
     + (SELECT count(*) FROM agents WHERE attempt_id IS NOT NULL) + (SELECT count(*) FROM removals)
"""
LOG_OPEN: Final = """
SELECT (SELECT count(*) FROM pending_syncs WHERE requested > settled)
     + (SELECT coalesce(max(position), 0) FROM events)
     - coalesce((SELECT position FROM cursors WHERE name = 'outcomes-relay'), 0)
"""


async def becomes_quiet(group: Group, within_seconds: float) -> bool:
    """Wait for rest; False where it did not come in time."""
    consumer = AIOKafkaConsumer(bootstrap_servers=group.around.bootstrap_servers, group_id=None)
    await consumer.start()
    try:

        async def nothing_open() -> bool:
            # Along the messages' way, so that none slips by; twice, as a repair goes the way once more.
            for _ in range(2):
                if await group.database["assistant_api"].fetchval(ASSISTANTS_OPEN):
                    return False
                if await _lag(group, consumer, group.topics[0], "tool_sync"):
                    return False
                if await group.database["tool_sync"].fetchval(LOG_OPEN):
                    return False
                if await _lag(group, consumer, group.topics[1], "assistant_api"):
                    return False
            return True

        return bool(await until(nothing_open, within_seconds))
    finally:
        await consumer.stop()


async def all_sent(group: Group, within_seconds: float) -> bool:
    """Wait until every save is in Vapi and on the topic, whoever reads it; False where it did not come to that."""

    async def nothing_open() -> bool:
        return not await group.database["assistant_api"].fetchval(ASSISTANTS_OPEN)

    return bool(await until(nothing_open, within_seconds))


async def _lag(group: Group, consumer: Any, topic: str, service: Service) -> int:
    ends = await consumer.end_offsets([TopicPartition(topic, number) for number in range(PARTITIONS)])
    committed = await group.kafka.list_consumer_group_offsets(group.consumer_groups[service])
    return sum(end - max(committed[place].offset if place in committed else 0, 0) for place, end in ends.items())
