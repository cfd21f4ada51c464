"""What stays up between the runs: one broker, one PostgreSQL, and the nursery that the services are forked from."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.faults.hub import Hub, hub_in

from devstack import kafka, postgres, topics
from devstack.databases import DatabaseUrls, Service, TestDatabases
from devstack.kafka import Broker
from devstack.postgres import Server
from devstack.tokens import Signer, new_signer
from devstack.topics import TopicSpec

PARTITIONS: Final = 4


@dataclass(slots=True)
class Ground:
    """Mutable: a killed server is replaced by its next start."""

    folder: Path
    broker: Broker
    postgres: Server
    databases: TestDatabases
    hub: Hub
    signer: Signer

    async def database(self, service: Service) -> DatabaseUrls:
        """A migrated database."""
        return await self.databases.create_database(service)

    async def topics(self, *names: str) -> None:
        """Topics of `PARTITIONS` partitions."""
        await topics.create(self.broker.bootstrap_servers, [TopicSpec(name, PARTITIONS) for name in names])

    async def restart_postgres(self) -> None:
        """PostgreSQL after it was killed, on its port and its data; returns when it answers."""
        old = self.postgres
        self.postgres = await postgres.start(old.data_dir, port=old.port, fsync=False)

    async def restart_broker(self) -> None:
        """The broker after it was killed; returns when records go through it."""
        self.broker = await kafka.start(self.broker.data_dir, port=self.broker.port)


@asynccontextmanager
async def ground_in(folder: Path) -> AsyncIterator[Ground]:
    """Bring everything up; at the end nothing is left."""
    async with AsyncExitStack() as exits:
        broker, server = await asyncio.gather(
            kafka.start(folder / "kafka"), postgres.start(folder / "postgres", fsync=False)
        )
        hub = await exits.enter_async_context(hub_in(folder))
        ground = Ground(folder, broker, server, TestDatabases(server.admin_url), hub, new_signer())
        exits.push_async_callback(lambda: ground.postgres.child.kill())
        exits.push_async_callback(lambda: ground.broker.child.kill())
        yield ground
