"""A clinic that wants notices, its server, and who sends them, over a real database."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from devstack.databases import DatabaseUrls
from tool_sync import db
from tool_sync.domain import events as e
from tool_sync.log import EventLog
from tool_sync.notices import queue
from tool_sync.notices.destination import PublicResolver
from tool_sync.notices.endpoints import Endpoint, endpoint_of, store_endpoint
from tool_sync.notices.sending import NoticeSender
from tool_sync.notices.signing import SecretBox, new_secret
from zerotouch_platform.vapi.transport import PooledTransport

from ..explain.clinic import Clinic
from .receiver import Receiver

KEY = bytes(range(32))


@dataclass
class Desk:
    """Clinics, and senders that each are a process of their own."""

    urls: DatabaseUrls
    pool: db.Pool
    log: EventLog
    box: SecretBox = field(default_factory=lambda: SecretBox(KEY))
    senders: list[NoticeSender] = field(default_factory=list)
    secrets: dict[UUID, str] = field(default_factory=dict)

    def sender(self, *, loopback_allowed: bool = True, seconds_max: float = 1.0) -> NoticeSender:
        """Another process that sends."""
        transport = PooledTransport(20, resolver=PublicResolver(loopback_allowed=loopback_allowed))
        made = NoticeSender(
            self.urls.service, self.pool, self.box, transport,
            loopback_allowed=loopback_allowed, seconds_max=seconds_max, jitter=lambda: 0.0,
        )  # fmt: skip
        self.senders.append(made)
        return made

    async def clinic(self, url: str, *, rotate: bool = False, org_id: UUID | None = None) -> UUID:
        """A clinic that wants its notices there."""
        if org_id is None:
            org_id = uuid4()
            clinic = Clinic(self.log, self.pool, None, None, org_id)  # type: ignore[arg-type]
            await clinic.happened(e.OrgRegistered("basic"))
        secret = new_secret()
        async with db.transaction(self.pool) as connection:
            if await store_endpoint(
                connection, org_id, url, self.box.seal(org_id, secret), rotate=rotate, by="org:test"
            ):
                self.secrets[org_id] = secret
        return org_id

    async def tell(self, org_id: UUID, *said: str) -> None:
        """Something that the clinic is to be told, in this order."""
        async with db.transaction(self.pool) as connection:
            for one in said:
                await queue.add(connection, org_id, "tool.changed", one, datetime.now(UTC), tool=one)

    async def endpoint(self, org_id: UUID) -> Endpoint:
        """How it goes."""
        async with db.tenant_tx(self.pool, org_id) as connection:
            found = await endpoint_of(connection, org_id)
        assert found is not None
        return found

    async def work(self, sender: NoticeSender, rounds: int = 1) -> None:
        """Send what is due, so often."""
        for _ in range(rounds):
            await sender.run_once()
            await sender.settled()

    async def later(self, org_id: UUID) -> None:
        """The pause is over."""
        await self.pool.execute("UPDATE notice_endpoints SET next_try_at = NULL WHERE org_id = $1", org_id)

    async def value(self, select: str, *parameters: Any) -> Any:
        return await self.pool.fetchval(select, *parameters)


@pytest.fixture
async def desk(tool_sync_db: DatabaseUrls, pool: db.Pool, log: EventLog) -> AsyncIterator[Desk]:
    """No clinic wants notices yet."""
    made = Desk(tool_sync_db, pool, log)
    yield made
    for sender in made.senders:
        await sender.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A server that takes everything."""
    made = Receiver()
    await made.open()
    yield made
    await made.close()
