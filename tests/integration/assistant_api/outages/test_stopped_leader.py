"""A process that is stopped while it leads the relay: the other one takes over, and what wakes up does no harm."""

import asyncio
import json
import signal
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import asyncpg
import httpx
from aiokafka import ConsumerRecord
from tests.support.eventually import eventually

from devstack.databases import DatabaseUrls
from devstack.fixtures import TestKafka
from devstack.sandbox import Sandbox
from zerotouch_contracts.envelope import from_record
from zerotouch_contracts.events import AssistantSaved

from ..harness import Vapi, token
from ..processes import environment_of, running_process
from .lines import read_all

TAKEN_OVER_SECONDS_MAX: Final = 6
SAVES: Final = 10

_LEADERS: Final = """
SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database()
  AND a.application_name = 'assistant-api relay'
"""


async def test_saves_are_published_though_the_relays_leader_is_stopped(
    assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi, kafka: TestKafka, tmp_path: Path
) -> None:
    topic = await kafka.create_topic("assistants")
    common = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "INSTALLATION_ID": str(uuid4()),
        "ASSISTANTS_TOPIC": topic,
        "OUTCOMES_TOPIC": await kafka.create_topic("outcomes"),
        "TOOL_CALLS_TOPIC": await kafka.create_topic("tool-calls"),
        "ERASURES_TOPIC": await kafka.create_topic("erasures"),
        "DISPLAY_NAMES_TOPIC": await kafka.create_topic("names"),
        "VAPI_ACCOUNTS_TOPIC": await kafka.create_topic("accounts"),
        "CONSUMER_GROUP": f"group-{uuid4()}",
    }
    logs = [tmp_path / f"{name}.log" for name in ("first", "second")]
    environments = [environment_of(assistant_api_db, sandbox, **common, LOG_FILE=str(log)) for log in logs]
    admin = await asyncpg.connect(assistant_api_db.admin)

    async def published(asked: Sequence[str]) -> bool:
        return set(asked) <= {attributes.id for _, attributes in _saves(await read_all(kafka.bootstrap_servers, topic))}

    async with running_process(environments[0]) as (leader, first):
        await eventually(lambda: _led(logs[0]), within_seconds=20)
        async with running_process(environments[1]) as (_, second):
            await eventually(lambda: _ready(second), within_seconds=20)
            org_id = (await _post(second, "/api/organizations", {"name": "Clinic"}))["id"]
            asked = await _save(second, org_id, "before")
            await eventually(lambda: published(asked))
            assert not await _led(logs[1])

            leader.send_signal(signal.SIGSTOP)
            stopped_at = time.monotonic()
            asked += await _save(second, org_id, "while")
            await eventually(
                lambda: published(asked), within_seconds=TAKEN_OVER_SECONDS_MAX - (time.monotonic() - stopped_at)
            )
            assert await _led(logs[1])

            leader.send_signal(signal.SIGCONT)
            both = await asyncio.gather(_save(first, org_id, "after-1"), _save(second, org_id, "after-2"))
            asked += [*both[0], *both[1]]
            await eventually(lambda: published(asked))
            await eventually(lambda: _ready(first), within_seconds=20)
            assert await admin.fetchval(_LEADERS) == 1
    await admin.close()
    records = await read_all(kafka.bootstrap_servers, topic)
    said = {(attributes.id, message) for message, attributes in _saves(records)}
    assert Counter(event_id for event_id, _ in said) == Counter(asked)  # a repeat is the same message with the same id


async def _save(http: httpx.AsyncClient, org_id: str, name: str) -> list[str]:
    bodies = [{"id": f"{name}-{n}", "name": "A", "orgId": org_id} for n in range(SAVES)]
    answers = await asyncio.gather(*(_post(http, "/api/agents", body) for body in bodies))
    return [answer["requestId"] for answer in answers]


async def _post(http: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await http.post(path, json=body, headers={"Authorization": f"Bearer {token()}"}, timeout=15)
    assert answer.status_code in (200, 201), answer.text
    said: dict[str, Any] = answer.json()
    return said


async def _ready(http: httpx.AsyncClient) -> bool:
    return (await http.get("/readyz")).status_code == 200


async def _led(log: Path) -> bool:
    lines = await asyncio.to_thread(lambda: log.read_text().splitlines() if log.exists() else [])
    return any(json.loads(line)["event"] == "relay_leads" for line in lines if line.endswith("}"))


def _saves(records: Sequence[ConsumerRecord]) -> list[tuple[AssistantSaved, Any]]:
    decoded = [from_record(record.key, record.value, record.headers) for record in records]
    return [(message, attributes) for message, attributes in decoded if isinstance(message, AssistantSaved)]
