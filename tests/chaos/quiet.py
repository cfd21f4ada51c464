"""The quiet period after healing: nothing is under way any more, or the run has failed."""

from collections.abc import Mapping
from typing import Final

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from tests.chaos.world import World
from tests.faults.unrest import AT_WORK, DUE_SOON, NOT_AS_ORDERED, ROLLOUTS
from tests.support.eventually import until

INPUT, OUTPUT = "assistants.v1", "tool-sync.outcomes.v1"
PARTITIONS: Final = 12
ASSISTANT_API: Final = """
SELECT (SELECT count(*) FROM outbox) AS outbox,
       (SELECT count(*) FROM saves WHERE state = 'open') AS open_saves,
       (SELECT count(*) FROM agents WHERE saved_revision > greatest(provisioned_revision, refused_revision)
                                       OR attempt_id IS NOT NULL) AS agents_not_in_vapi,
       (SELECT count(*) FROM removals) AS removals,
       (SELECT count(*) FROM organizations WHERE calendar_changed_at IS NOT NULL)
         + (SELECT count(*) FROM outcomes WHERE tools_lost_at IS NOT NULL)
         + (SELECT count(*) FROM published_tools WHERE walk_due) AS prompts_to_look_at,
       (SELECT count(*) FROM lost_records) AS outcomes_called_lost
"""
TO_LOOK_FOR: Final = "SELECT count(*) FROM unanswered_creations"
SOON_SECONDS: Final = 30
TOOL_SYNC: Final = f"""
SELECT (SELECT count(*) FROM pending_syncs WHERE requested > settled) AS pending_syncs,
       (SELECT max(position) FROM events) - (SELECT position FROM cursors WHERE name = 'outcomes-relay')
         AS events_unpublished,
       {AT_WORK} AS orgs_at_work,
       {DUE_SOON.format(seconds="$1")} AS orgs_due_soon,
       (SELECT count(*) FROM lost_records) AS saves_called_lost,
       {ROLLOUTS} AS rollouts,
       {NOT_AS_ORDERED} AS tools_not_as_ordered
"""  # noqa: S608 - made of constants


async def come_to_rest(world: World, within_seconds: float, *, swept: bool = False) -> dict[str, int]:
    """Wait until nothing is open; returns what still was when the time was up, empty where all is done.

    ``swept``: also until what may have been made beyond the needed was looked for, which waits for the surplus age.
    """
    api = await asyncpg.connect(world.database("assistant_api").admin)
    log = await asyncpg.connect(world.database("tool_sync").admin)
    admin = AIOKafkaAdminClient(bootstrap_servers=world.broker.bootstrap_servers)
    consumer = AIOKafkaConsumer(bootstrap_servers=world.broker.bootstrap_servers, group_id=None)
    groups = {world.consumer_group: INPUT, "assistant-api": OUTPUT}
    left: dict[str, int] = {}

    async def nothing_left() -> bool:
        left.clear()
        left.update(await _open(api, log, admin, consumer, groups, world.times.surplus_age if swept else 0))
        if swept and (looking := await api.fetchval(TO_LOOK_FOR)):
            left["assistants to look for"] = looking
        return not left

    try:
        await admin.start()
        await consumer.start()
        await until(nothing_left, within_seconds, every_seconds=0.3)
    finally:
        await consumer.stop()
        await admin.close()
        await api.close()
        await log.close()
    return left


async def _open(
    api: "asyncpg.Connection[asyncpg.Record]",
    log: "asyncpg.Connection[asyncpg.Record]",
    admin: AIOKafkaAdminClient,
    consumer: AIOKafkaConsumer,
    groups: Mapping[str, str],
    ahead_seconds: float,
) -> dict[str, int]:
    due = await log.fetchrow(TOOL_SYNC, max(SOON_SECONDS, ahead_seconds))
    found = dict(await api.fetchrow(ASSISTANT_API) or {}) | dict(due or {})
    for group, topic in groups.items():
        found[f"lag of {group}"] = await _lag(admin, consumer, group, topic)
    return {name: count for name, count in found.items() if count}


async def _lag(admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer, group: str, topic: str) -> int:
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    ends = await consumer.end_offsets(partitions)
    committed = await admin.list_consumer_group_offsets(group)
    return sum(end - max(committed[p].offset if p in committed else 0, 0) for p, end in ends.items())
