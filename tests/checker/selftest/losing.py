"""The input topic loses what is on it. What that was is kept for the judge, who cannot find it any more."""

import json
from collections.abc import Awaitable, Callable
from typing import Final

from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete
from aiokafka.errors import KafkaError
from tests.checker.collect import read_records
from tests.checker.dump import DELETED, GONE, MADE_AGAIN
from tests.checker.selftest.group import PARTITIONS, Group
from tests.support.eventually import until

from devstack import topics
from devstack.topics import TopicSpec

MADE_AGAIN_SECONDS_MAX: Final = 30.0

Loses = Callable[[Group], Awaitable[None]]


async def deleted(group: Group) -> None:
    """All records are deleted, as retention does."""
    ends = await _keep(group, DELETED)
    await group.kafka.delete_records({place: RecordsToDelete(before_offset=end) for place, end in ends.items()})


async def made_again(group: Group) -> None:
    """The topic is deleted and created again."""
    await _keep(group, MADE_AGAIN)
    servers, topic = group.around.bootstrap_servers, group.topics[0]
    await topics.delete(servers, [topic])

    async def made() -> bool:
        try:
            await topics.create(servers, [TopicSpec(topic, PARTITIONS)])
        except KafkaError:  # it is still being deleted
            return False
        return True

    assert await until(made, MADE_AGAIN_SECONDS_MAX), "the topic was not made again"


async def _keep(group: Group, how: str) -> dict[TopicPartition, int]:
    """Write what is about to go beside the ledger; the end of each partition that has records."""
    found = await read_records(group.around.bootstrap_servers, [group.topics[0]])
    with (group.dump / f"{GONE}.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(json.dumps({**record, "gone": how}) + "\n" for record in found)
    group.ledger.fault("records-gone", group.topics[0], detail=how)
    ends: dict[TopicPartition, int] = {}
    for record in found:
        ends[TopicPartition(record["topic"], record["partition"])] = record["offset"] + 1
    return ends
