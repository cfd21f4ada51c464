"""The work: assistants that exist in the sandbox, and the `AssistantSaved` records that say so."""

import asyncio
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

import aiohttp
from aiokafka import AIOKafkaProducer

from benchmarks.errors import NotMeasured
from zerotouch_contracts.canonical import model_hash
from zerotouch_contracts.envelope import to_record
from zerotouch_contracts.events import AssistantSaved

MAKERS = 32
PROMPT = (
    "You answer the phone of a dental clinic. Be brief and friendly, and speak plainly. Ask for one thing at a time, "
    "repeat names, numbers and dates back to the caller, and never give medical advice: offer an appointment instead. "
) * 6
"""1,300 characters: a clinic's real prompt is of that size."""


@dataclass(frozen=True, slots=True)
class Save:
    """A save that assistant-api has made: the message, and the trace that it belongs to."""

    message: AssistantSaved
    traceparent: str


async def make_saves(sandbox_url: str, api_key: str, orgs: Sequence[UUID]) -> list[Save]:
    """Make one assistant in the sandbox for each entry of ``orgs`` and the save of each, in that order."""
    saves: dict[int, Save] = {}
    waiting = iter(enumerate(orgs))
    async with aiohttp.ClientSession(
        base_url=sandbox_url,
        headers={"Authorization": f"Bearer {api_key}"},
        connector=aiohttp.TCPConnector(limit=MAKERS),
    ) as session:

        async def make() -> None:
            for number, org_id in waiting:
                saves[number] = await _make_one(session, org_id, f"agent-{number + 1}")

        async with asyncio.TaskGroup() as makers:
            for _ in range(MAKERS):
                makers.create_task(make())
    return [saves[number] for number in range(len(orgs))]


async def _make_one(session: aiohttp.ClientSession, org_id: UUID, agent_id: str) -> Save:
    body = {
        "name": "Front desk",
        "firstMessage": "Good morning, how can I help you?",
        "voice": {"provider": "11labs", "voiceId": "sarah"},
        "model": {
            "provider": "openai",
            "model": "gpt-4o",
            "temperature": 0.3,
            "messages": [{"role": "system", "content": PROMPT}],
        },
        "metadata": {"organization_id": str(org_id), "agent_id": agent_id},
    }
    async with session.post("/assistant", json=body) as answer:
        if answer.status != 201:
            raise NotMeasured(f"the sandbox answers {answer.status} to POST /assistant: {await answer.text()}")
        assistant = await answer.json()
    message = AssistantSaved(
        org_id=org_id,
        request_id=uuid4(),
        agent_id=agent_id,
        assistant_id=assistant["id"],
        revision=1,
        model_hash=model_hash(assistant["model"]),
        cause="save",
    )
    return Save(message, f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01")


async def publish(bootstrap_servers: str, topic: str, saves: Iterable[Save]) -> None:
    """Put the saves on the topic; returns once the broker has them all."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all", linger_ms=5, max_batch_size=256 * 1024)
    await producer.start()
    try:
        await send(producer, topic, saves)
    finally:
        await producer.stop()


async def send(producer: AIOKafkaProducer, topic: str, saves: Iterable[Save]) -> None:
    """Send the saves with a producer that is connected already; returns once the broker has them all."""
    log_id, now = uuid4(), datetime.now(UTC)
    sent = []
    for save in saves:
        record = to_record(
            save.message, id=save.message.request_id, time=now, log_id=log_id, traceparent=save.traceparent
        )
        sent.append(await producer.send(topic, record.value, key=record.key, headers=list(record.headers)))
    await asyncio.gather(*sent)
