"""What the relay and the outcomes' consumer share: looking before speaking.

aiokafka asks the broker to create a topic that it is told about. So the topics are listed first, and nothing is sent
to or read from one that is not there: topics are made by deploy.
"""

import asyncio
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient

from assistant_api.settings import Settings
from zerotouch_contracts.kafka import TROUBLE
from zerotouch_platform.health import Health

LOOK_TIMEOUT_SECONDS: Final = 10


class TopicsMissing(Exception):
    """Kafka answers, but has not the topics that this service needs."""


async def require_topics(settings: Settings, health: Health) -> None:
    """Return when Kafka answers and has our topics; else say why in /readyz and raise.

    Raises :class:`TopicsMissing` or one of ``TROUBLE``.
    """
    wanted = {settings.assistants_topic, settings.outcomes_topic, settings.tool_calls_topic}
    try:
        async with asyncio.timeout(LOOK_TIMEOUT_SECONDS):
            missing = sorted(wanted - await _topics(settings.kafka_bootstrap_servers))
    except TROUBLE as error:
        health.fails("kafka", f"no answer from {settings.kafka_bootstrap_servers}: {type(error).__name__}")
        raise
    if missing:
        reason = f"missing topics: {', '.join(missing)}; create them (they are never created by a client)"
        health.fails("kafka", reason)
        raise TopicsMissing(reason)
    health.works("kafka")


async def _topics(bootstrap_servers: str) -> set[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, client_id="assistant-api", request_timeout_ms=5000)
    try:
        await admin.start()
        return set(await admin.list_topics())
    finally:
        await admin.close()
