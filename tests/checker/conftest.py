"""One short run of the real services, recorded once for all tests of the judge."""

from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest_asyncio
from tests.checker.dump import Dump
from tests.checker.selftest.corruptions import good_dump
from tests.checker.selftest.group import Shared

from devstack.databases import TestDatabases
from devstack.fixtures import TestKafka


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def good(postgres: TestDatabases, kafka: TestKafka) -> AsyncIterator[Dump]:
    """The dump of a run in which nothing is wrong; tests change copies of it."""
    with TemporaryDirectory(prefix="zerotouch-checker-") as folder:
        yield await good_dump(Shared(postgres, kafka.bootstrap_servers, Path(folder)))
