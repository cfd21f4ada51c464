"""What is asked of Kafka besides records: does it answer, and do the topics exist?

It asks for the list of all topics. To ask for a topic by name makes a broker with ``auto.create.topics.enable`` create
it, with one partition; topics are made by deploy only.
"""

import asyncio
from collections.abc import Iterable

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

ANSWER_SECONDS_MAX = 5.0


async def problem_of(bootstrap_servers: str, topics: Iterable[str]) -> str | None:
    """Why records cannot be exchanged over ``topics`` now, in words for an operator; None where they can."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            existing = await _topics(bootstrap_servers)
    except TimeoutError:
        return f"Kafka at {bootstrap_servers} does not answer within {ANSWER_SECONDS_MAX:g} s"
    except (KafkaError, OSError) as error:
        return f"Kafka at {bootstrap_servers} cannot be reached: {error}"
    missing = sorted(set(topics) - existing)
    return f"Kafka has no topic {', '.join(missing)}: create it first (deploy does)" if missing else None


async def _topics(bootstrap_servers: str) -> set[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, client_id="tool-sync-check")
    try:
        await admin.start()
        return set(await admin.list_topics())
    finally:
        await admin.close()
