"""Kafka behind TLS and names: the services work with no more rights than they need, and nobody else gets in."""

import asyncio
import json
import os
import time
from base64 import urlsafe_b64encode
from pathlib import Path
from uuid import UUID

import pytest
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
)

from devstack.kafka_security import Authority, SecuredKafka
from devstack.one_fix import tool_sync
from devstack.services import not_ready
from zerotouch_contracts.kafka import drop_consumer, drop_producer, new_admin, new_consumer, new_producer
from zerotouch_contracts.topics import TOPICS

from ..programs import started
from ..world import PATIENCE_SECONDS, World

NAMES = {topic.name for topic in TOPICS}
WRITES = {
    "assistant-api": {
        "assistants.v1", "tool-calls.v1", "assistant-api.contracts.v1", "display-names.v1", "vapi-accounts.v1",
        "erasures.v1",
    },
    "tool-sync": {f"tool-sync.{name}.v1" for name in ("outcomes", "fleet", "blueprint", "heads")},
    "subscriber": set(),
    "stranger": set(),
}  # fmt: skip
READS = {
    "assistant-api": {
        "assistants.v1", "tool-sync.outcomes.v1", "tool-sync.blueprint.v1", "display-names.v1", "vapi-accounts.v1",
        "erasures.v1",
    },
    "tool-sync": NAMES - {"erasures.v1"},
    "subscriber": {"tool-sync.outcomes.v1", "tool-sync.fleet.v1"},
    "stranger": set(),
}  # fmt: skip
GROUPS = {"assistant-api": "assistant-api", "tool-sync": "tool-sync-2", "subscriber": "subscriber-billing"}


@pytest.fixture
def as_client(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Makes this process a client with an environment, and says where Kafka is."""

    def become(env: dict[str, str]) -> str:
        for name in [name for name in os.environ if name.startswith("KAFKA_")]:
            monkeypatch.delenv(name)
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        return env["KAFKA_BOOTSTRAP_SERVERS"]

    return become


async def may_write(servers: str, topic: str) -> bool:
    producer = new_producer(servers, "probe", batch_bytes=16_000, linger_ms=0, request_seconds_max=10)
    try:
        await producer.start()
        await producer.send_and_wait(topic, b"not a message", key=b"probe", partition=0)
    except (TopicAuthorizationFailedError, ClusterAuthorizationFailedError):  # the second: to no topic at all
        return False
    finally:
        await drop_producer(producer)
    return True


async def may_read(servers: str, topic: str) -> bool:
    consumer = new_consumer(bootstrap_servers=servers, group_id=None, auto_offset_reset="earliest")
    try:
        await consumer.start()
        consumer.subscribe([topic])
        await consumer.getmany(timeout_ms=2000)
        return topic in await consumer.topics()
    except TopicAuthorizationFailedError:
        return False
    finally:
        await drop_consumer(consumer, 2.0)


async def may_join(servers: str, topic: str, group: str) -> bool:
    consumer = new_consumer(topic, bootstrap_servers=servers, group_id=group)
    try:
        await asyncio.wait_for(consumer.start(), 20)
    except GroupAuthorizationFailedError:
        return False
    finally:
        await drop_consumer(consumer, 2.0)
    return True


async def problem(servers: str) -> str | None:
    """Why a client cannot even ask for the topics, or None."""
    admin = new_admin(servers, request_timeout_ms=5000)
    try:
        async with asyncio.timeout(10):
            await admin.start()
            await admin.list_topics()
    except (KafkaError, OSError, TimeoutError) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        await admin.close()
    return None


async def test_a_save_is_synced_over_tls_with_the_rights_of_the_deployment(walled: World) -> None:
    saved = await walled.save(await walled.organization())
    published = await walled.outcomes.of(UUID(saved["requestId"]), until=time.monotonic() + PATIENCE_SECONDS)
    assert published.tool_names == ["bookClinicAppointment"]
    await walled.quiet()
    named = await walled.sync(saved["agentId"])  # assistant-api has read the outcome over TLS, too
    await walled.outcomes.of(UUID(named["requestId"]), until=time.monotonic() + PATIENCE_SECONDS)


async def test_operators_commands_speak_as_the_service_does(walled: World) -> None:
    await walled.quiet()
    said = await tool_sync(walled.stack, "log", "verify", "--json")
    verified = json.loads(said[said.index("{") :])["result"]
    assert (verified["ok"], verified["topic"]["ahead"], verified["fleet_topic"]["ahead"]) == (True, [], [])
    assert "assistants.v1" in await tool_sync(walled.stack, "audit", "--only-topics")


@pytest.mark.parametrize("user", ["assistant-api", "tool-sync", "subscriber", "stranger"])
async def test_nobody_has_a_right_more_or_less(walled: World, secured: SecuredKafka, as_client, user: str) -> None:  # type: ignore[no-untyped-def]
    servers = as_client(secured.env(user))
    for topic in sorted(NAMES):
        assert await may_read(servers, topic) == (topic in READS[user]), (user, "reads", topic)
        if topic not in WRITES[user]:  # a record of junk on a topic of its own would be somebody's alarm
            assert not await may_write(servers, topic), (user, "writes", topic)
    for other, group in GROUPS.items():
        topic = "tool-sync.outcomes.v1"
        if topic in READS[user]:
            assert await may_join(servers, topic, group) == (user == other), (user, "joins", group)


async def test_ways_to_say_who_one_is(walled: World, secured: SecuredKafka, as_client, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert await may_read(as_client(secured.env("subscriber", "PLAIN")), "tool-sync.fleet.v1")
    assert await may_read(as_client(secured.mutual_env("subscriber")), "tool-sync.fleet.v1")
    assert not await may_read(as_client(secured.mutual_env("stranger")), "tool-sync.fleet.v1")

    token = tmp_path / "token"
    token.write_text(_unsigned("subscriber"))
    env = secured.env("subscriber", "OAUTHBEARER") | {"KAFKA_SASL_TOKEN_FILE": str(token)}
    servers = as_client({k: v for k, v in env.items() if k not in ("KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD")})
    assert await may_read(servers, "tool-sync.fleet.v1")
    assert not await may_read(servers, "assistants.v1")


async def test_who_is_not_let_in_is_told_why(walled: World, secured: SecuredKafka, as_client, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    wrong = secured.env("tool-sync") | {"KAFKA_SASL_PASSWORD": "guessed"}
    assert "SaslAuthenticationFailed" in str(await problem(as_client(wrong)))
    other = secured.env("tool-sync") | {"KAFKA_SSL_CA_FILE": str(Authority(tmp_path / "other").ca_file)}
    assert "certificate verify failed" in str(await problem(as_client(other)))
    renamed = {"KAFKA_BOOTSTRAP_SERVERS": f"localhost:{secured.port}"}
    assert "Hostname mismatch" in str(await problem(as_client(secured.env("tool-sync") | renamed)))
    assert await problem(as_client({"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{secured.port}"})) is not None
    nameless = {name: value for name, value in secured.mutual_env("tool-sync").items() if "_CERT_" not in name}
    nameless.pop("KAFKA_SSL_KEY_FILE")
    assert await problem(as_client(nameless)) is not None


async def test_a_service_with_a_wrong_password_says_so_and_no_password_is_written(
    walled: World, secured: SecuredKafka, tmp_path: Path
) -> None:
    guess = "guessed-7f3a"
    database = walled.stack.database("assistant_api")
    async with started(walled, "assistant_api", tmp_path, database, KAFKA_SASL_PASSWORD=guess) as running:
        said = await not_ready(str(running.http.base_url))
        assert said is not None
        assert "SaslAuthenticationFailed" in said
    written = "".join(map(_text, (*tmp_path.iterdir(), walled.stack.surroundings.log_file)))  # noqa: ASYNC240
    assert "SaslAuthenticationFailed" in written
    assert not [word for word in (guess, *secured.passwords.values()) if word in written + said]


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _unsigned(user: str) -> str:
    """A token that nobody signed, which Kafka's own default handler takes; no broker for real use has it."""
    now = int(time.time())
    parts = ({"alg": "none"}, {"sub": user, "iat": now, "exp": now + 600})
    return ".".join(urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."
