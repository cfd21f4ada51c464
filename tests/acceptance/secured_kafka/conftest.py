"""A running system whose services speak TLS to Kafka, each under its own name and with the rights of deploy/kafka."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from devstack.kafka_security import Authority, SecuredKafka

from ..collector import collecting
from ..opening import opened
from ..world import World


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> SecuredKafka:
    """The names, passwords and ports."""
    return SecuredKafka(Authority(tmp_path_factory.mktemp("authority")))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def walled(tmp_path_factory: pytest.TempPathFactory, secured: SecuredKafka) -> AsyncIterator[World]:
    """The system."""
    async with AsyncExitStack() as exits:
        collector = exits.enter_context(collecting())
        folder = tmp_path_factory.mktemp("secured")
        yield await opened(exits, folder, collector, collector.endpoint, secured_kafka=secured)
