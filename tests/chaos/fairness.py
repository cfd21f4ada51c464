"""Fairness: one clinic with 10,000 queued saves beside 100 clinics with one each.

The saves are put on the topic directly, while tool-sync is stopped: the large clinic's partition holds all 10,000
before the first of the hundred, and some of the hundred share it. Then tool-sync goes on, and the clock starts.
"""

import asyncio
import json
import signal
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.partitioner import DefaultPartitioner
from tests.chaos.outcomes import OUTPUT
from tests.chaos.phases import percentile
from tests.chaos.quiet import PARTITIONS, come_to_rest
from tests.chaos.times import UNSCALED
from tests.chaos.world import SERVICE_KEY, World, running

from devstack.options import say
from zerotouch_contracts.canonical import model_hash
from zerotouch_contracts.envelope import Record, to_record
from zerotouch_contracts.events import AssistantSaved, OrganizationSaved

QUEUED: Final = 10_000
AGENTS: Final = 2_000
"""Of the large clinic, each saved five times."""
SMALL: Final = 100
SHARING: Final = 8
POSTS_AT_ONCE: Final = 50
REST_SECONDS_MAX: Final = 300.0
LATENCY_SECONDS_MAX: Final = 2.0
INTAKE_PER_SECOND_MIN: Final = 3000.0
MODEL: Final[dict[str, Any]] = {"provider": "openai", "model": "gpt-4o", "messages": []}

TAKEN_IN: Final = """
SELECT org_id, min(recorded_at) AS first, max(recorded_at) AS last, count(*) AS records
  FROM events WHERE type = 'SyncRequested' GROUP BY org_id
"""


@dataclass(frozen=True, slots=True)
class Small:
    """A clinic with one save, and whether it shares the large one's partition."""

    org_id: uuid.UUID
    request_id: uuid.UUID
    shares: bool


async def fairness(folder: Path) -> int:
    """Run it once; 0 where all three promises held."""
    async with running(folder, UNSCALED) as world:
        return await _measured(world)


async def _measured(world: World) -> int:
    large, small = _clinics()
    say(f"  making {AGENTS + SMALL} assistants")
    assistants = await _assistants(world, AGENTS + SMALL)
    mine, theirs = assistants[:AGENTS], assistants[AGENTS:]
    await _send(world, [_founded(org) for org in (large, *(it.org_id for it in small))])
    if left := await come_to_rest(world, REST_SECONDS_MAX):
        raise RuntimeError(f"not at rest before the start: {left}")
    for replica in world.of("tool_sync"):
        replica.signal(signal.SIGSTOP)
    saves = [_save(large, *mine[n % AGENTS], uuid.uuid4(), revision=1 + n // AGENTS) for n in range(QUEUED)]
    began = time.monotonic()
    await _send(world, saves)
    singles = zip(small, theirs, strict=True)
    await _send(world, [_save(it.org_id, *assistant, it.request_id) for it, assistant in singles])
    say(f"  {QUEUED + SMALL} saves queued in {time.monotonic() - began:.1f} s; tool-sync goes on")
    start = time.time()
    for replica in world.of("tool_sync"):
        replica.signal(signal.SIGCONT)
    left = await come_to_rest(world, REST_SECONDS_MAX)
    return await _judge(world, start, large, small, left, time.time() - start)


async def _judge(
    world: World, start: float, large: uuid.UUID, small: Sequence[Small], left: dict[str, int], seconds: float
) -> int:
    heard = await _outcomes(world)
    taken = await _taken_in(world)
    missing = [it for it in small if str(it.request_id) not in heard]
    others = sorted(heard[str(it.request_id)] - start for it in small if not it.shares and str(it.request_id) in heard)
    sharing = sorted(
        heard[str(it.request_id)] - taken[it.org_id][1] for it in small if it.shares and str(it.request_id) in heard
    )
    first, last, records = taken[large]
    rate = records / max(last - first, 0.001)
    found = {
        "p99 on other partitions, s": (percentile(others, 0.99), LATENCY_SECONDS_MAX),
        "p99 on the shared partition from when intake has read it, s": (percentile(sharing, 0.99), LATENCY_SECONDS_MAX),
    }
    broken = [name for name, (value, most) in found.items() if value > most]
    broken += [f"{len(missing)} saves without an outcome"] if missing else []
    broken += [f"not at rest: {left}"] if left else []
    broken += [f"intake {rate:.0f} records/s"] if rate < INTAKE_PER_SECOND_MIN else []
    for name, (value, most) in found.items():
        print(f"{name}: {value:.2f} (at most {most:g})")
    print(f"intake of the shared partition: {rate:.0f} records/s (at least {INTAKE_PER_SECOND_MIN:g})")
    print(f"all {QUEUED + SMALL} saves have their outcome {seconds:.1f} s after the start")
    for line in broken:
        print(f"VIOLATION: {line}")
    print(f"fairness: {QUEUED} saves of one clinic beside {SMALL} of others, {len(broken)} violations", flush=True)
    return 1 if broken else 0


def _clinics() -> tuple[uuid.UUID, list[Small]]:
    large = uuid.uuid4()
    place = _partition(large)
    small: list[Small] = []
    while len(small) < SMALL:
        org_id = uuid.uuid4()
        if (_partition(org_id) == place) == (len(small) < SHARING):
            small.append(Small(org_id, uuid.uuid4(), shares=len(small) < SHARING))
    return large, small


def _partition(org_id: uuid.UUID) -> int:
    numbers = list(range(PARTITIONS))
    return int(DefaultPartitioner()(str(org_id).encode(), numbers, numbers))


def _founded(org_id: uuid.UUID) -> Record:
    message = OrganizationSaved(org_id=org_id, revision=1, name="Clinic")
    return to_record(message, id=uuid.uuid4(), time=datetime.now(UTC), log_id=uuid.uuid4())


def _save(
    org_id: uuid.UUID, agent_id: str, assistant_id: str, hashed: str, request_id: uuid.UUID, revision: int = 1
) -> Record:
    message = AssistantSaved(
        org_id=org_id,
        request_id=request_id,
        agent_id=agent_id,
        assistant_id=assistant_id,
        revision=revision,
        model_hash=hashed,
        cause="save",
    )
    return to_record(message, id=request_id, time=datetime.now(UTC), log_id=uuid.uuid4())


async def _assistants(world: World, count: int) -> list[tuple[str, str, str]]:
    """(agent id, assistant id, model hash) of new assistants at Vapi."""
    room = asyncio.Semaphore(POSTS_AT_ONCE)
    headers = {"Authorization": f"Bearer {SERVICE_KEY}"}
    async with httpx.AsyncClient(base_url=world.sandbox_url, headers=headers, timeout=60) as http:

        async def make(number: int) -> tuple[str, str, str]:
            async with room:
                answer = await http.post("/assistant", json={"name": f"Desk {number}", "model": MODEL})
            made = answer.raise_for_status().json()
            return f"agent-{number}", made["id"], model_hash(made["model"])

        return list(await asyncio.gather(*(make(number) for number in range(count))))


async def _send(world: World, records: Iterable[Record]) -> None:
    """Send records and wait for all acknowledgements."""
    producer = AIOKafkaProducer(
        bootstrap_servers=world.broker.bootstrap_servers, acks="all", enable_idempotence=True, linger_ms=5
    )
    await producer.start()
    try:
        sent = [await producer.send(it.topic, it.value, key=it.key, headers=list(it.headers)) for it in records]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def _outcomes(world: World) -> dict[str, float]:
    """When the outcome of each request was put on its topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=world.broker.bootstrap_servers, group_id=None)
    await consumer.start()
    heard: dict[str, float] = {}
    try:
        partitions = [TopicPartition(OUTPUT, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=50)).values():
                for record in records:
                    heard |= dict.fromkeys(_requests(record.value), record.timestamp / 1000)
    finally:
        await consumer.stop()
    return heard


def _requests(value: bytes) -> list[str]:
    return [item["request_id"] for item in json.loads(value).get("requests", [])]


async def _taken_in(world: World) -> dict[uuid.UUID, tuple[float, float, int]]:
    """By clinic: when its first and last save became an event, and how many there are."""
    connection = await asyncpg.connect(world.database("tool_sync").admin)
    try:
        rows = await connection.fetch(TAKEN_IN)
    finally:
        await connection.close()
    return {row["org_id"]: (row["first"].timestamp(), row["last"].timestamp(), row["records"]) for row in rows}
