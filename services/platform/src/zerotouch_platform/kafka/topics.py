"""What is asked of Kafka besides records: does it answer, and do the topics exist?

It asks for the list of all topics. To ask for a topic by name makes a broker with ``auto.create.topics.enable`` create
it, with one partition; topics are made by deploy only.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

from zerotouch_contracts.kafka import TROUBLE, new_admin

ANSWER_SECONDS_MAX: Final = 5.0


class KafkaUnavailable(Exception):
    """Kafka does not answer, or has not the topics; ``str()`` says which, in words for an operator."""


class TopicMissing(KafkaUnavailable):
    """Kafka answers, and has not the topics."""


KAFKA_AWAY: Final = (KafkaUnavailable, *TROUBLE)
"""What Kafka's absence looks like to whoever has asked for its topics first."""


async def require_topics(bootstrap_servers: str, topics: Iterable[str]) -> None:
    """Return where Kafka answers and has ``topics``; raises :class:`KafkaUnavailable`."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            existing = await _topics(bootstrap_servers)
    except TimeoutError:
        raise KafkaUnavailable(f"Kafka at {bootstrap_servers} did not answer within {ANSWER_SECONDS_MAX:g} s") from None
    except TROUBLE as error:
        raise KafkaUnavailable(f"Kafka at {bootstrap_servers} cannot be reached: {error}") from error
    if missing := sorted(set(topics) - existing):
        raise TopicMissing(f"Kafka has no topic {', '.join(missing)}: create it first (`deploy` does)")


async def problem_of(bootstrap_servers: str, topics: Iterable[str]) -> str | None:
    """Why records cannot be exchanged over ``topics`` now, in words for an operator; None where they can."""
    try:
        await require_topics(bootstrap_servers, topics)
    except KafkaUnavailable as unavailable:
        return str(unavailable)
    return None


async def _topics(bootstrap_servers: str) -> set[str]:
    admin = new_admin(bootstrap_servers, client_id="topics-check")
    try:
        await admin.start()
        return set(await admin.list_topics())
    finally:
        await admin.close()
