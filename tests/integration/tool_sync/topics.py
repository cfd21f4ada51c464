"""Settings, saves and records that tests of tool-sync's edges share; PostgreSQL and Kafka are devstack's."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from devstack.databases import DatabaseUrls
from devstack.fixtures import TestKafka
from devstack.tokens import AUDIENCE, ISSUER, Signer
from tool_sync.settings import Settings
from zerotouch_contracts.envelope import Record, to_record
from zerotouch_contracts.events import AssistantMessage, AssistantSaved

LOG_ID = UUID("5b3c2f0e-77a5-4a3f-9f0e-1f1c54d5b1aa")


@pytest.fixture(scope="session")
def signer() -> Signer:
    """Signs tokens that the settings' public key verifies."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return Signer(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(), public.decode())


@pytest.fixture
async def settings(tool_sync_db: DatabaseUrls, kafka: TestKafka, signer: Signer) -> Settings:
    """Settings with a database and topics of this test's own; waits are short."""
    return Settings(
        database_url=tool_sync_db.service,
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        assistants_topic=await kafka.create_topic("assistants"),
        outcomes_topic=await kafka.create_topic("outcomes"),
        fleet_topic=await kafka.create_topic("fleet"),
        consumer_group=f"tool-sync-{uuid4()}",
        vapi_base_url="http://127.0.0.1:9",
        vapi_api_key="key",
        tool_server_url="https://api.example/hook",
        installation_id=uuid4(),
        jwt_public_key=signer.public_key,
        jwt_issuer=ISSUER,
        jwt_audience=AUDIENCE,
        port=0,
        start_retry_seconds=0.2,
        intake_retry_seconds_base=0.05,
        intake_retry_seconds_max=0.2,
        relay_poll_seconds_max=0.1,
        relay_candidate_seconds=0.1,
    )


@dataclass
class Topics:
    """Writes to and reads from the test's topics, and remembers what it sent."""

    settings: Settings
    producer: Any
    sent: list[Record] = field(default_factory=list)

    def save(self, org_id: UUID, agent_id: str = "agent-1", revision: int = 1, **changes: Any) -> Record:
        """The record of an ``AssistantSaved``."""
        message = AssistantSaved(
            org_id=org_id,
            request_id=changes.pop("request_id", uuid4()),
            agent_id=agent_id,
            assistant_id=f"assistant-{agent_id}",
            revision=revision,
            model_hash="a" * 64,
            cause="save",
        )
        return self.record(message, message_id=message.request_id, **changes)

    def record(self, message: AssistantMessage, *, message_id: UUID, traceparent: str | None = None) -> Record:
        """The record of any message."""
        return to_record(message, id=message_id, time=datetime.now(UTC), log_id=LOG_ID, traceparent=traceparent)

    async def send(self, records: Sequence[Record], *, partition: int | None = None) -> None:
        """Send records to the assistants topic, in order, and wait for Kafka to have them."""
        futures = [
            await self.producer.send(
                self.settings.assistants_topic, r.value, r.key, headers=list(r.headers), partition=partition
            )
            for r in records
        ]
        await asyncio.gather(*futures)
        self.sent += records

    async def send_raw(
        self, key: bytes | None, value: bytes | None, headers: list[tuple[str, Any]], *, partition: int | None = None
    ) -> None:
        """Send anything at all to the assistants topic."""
        await self.producer.send_and_wait(
            self.settings.assistants_topic, value, key, headers=headers, partition=partition
        )

    async def outcomes(self) -> list[Any]:
        """Every record on the outcomes topic, partition by partition."""
        return await self.records(self.settings.outcomes_topic)

    async def records(self, topic: str) -> list[Any]:
        """Every record on a topic, partition by partition."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.settings.kafka_bootstrap_servers, group_id=None)
        await consumer.start()
        try:
            partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
            if not partitions:
                await consumer._client._wait_on_metadata(topic)
                partitions = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic)]
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            ends = await consumer.end_offsets(partitions)
            records: list[Any] = []
            while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    records += batch
            return records
        finally:
            await consumer.stop()
