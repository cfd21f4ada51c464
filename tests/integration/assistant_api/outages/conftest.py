"""A broker that can be cut off from the service."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from devstack import kafka as devstack_kafka
from devstack.fixtures import TestKafka
from devstack.ports import free_port

from .lines import Line, Ways


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def ways(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ways]:
    listener = free_port()
    line = Line("kafka", listener)
    folder = tmp_path_factory.mktemp("outages") / "kafka"
    broker = await devstack_kafka.start(folder, proxied=(listener, line.port))
    yield Ways(TestKafka(broker.bootstrap_servers), line)
    await line.close()
    await broker.stop()
