"""Names leave the database over `display-names.v1` alone, and are taken back there when their rows go."""

import asyncio
import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer, ConsumerRecord
from tests.support.eventually import eventually

from assistant_api.relay import names
from assistant_api.relay.names import NameCheck
from assistant_api.restore.begin import begin_again
from assistant_api.restore.marked import Listing
from assistant_api.settings import Settings
from devstack.databases import DatabaseUrls
from devstack.fixtures import TestKafka
from devstack.sandbox import Sandbox
from zerotouch_contracts.envelope import UndecodableRecord
from zerotouch_contracts.names import DisplayName, Named, name_record, read_name
from zerotouch_platform.kafka.compacted import compacted

from .harness import Harness, Vapi, make_settings, own_topics, service_whatever_it_says, whole_service

Told = tuple[str, str | None, str | None, int]


async def _told(harness: Harness) -> list[Told]:
    """What the outbox says of names, in order: organization, agent, name, revision."""
    return [
        (body["org_id"], body["agent_id"], body["name"], body["revision"])
        for body in [message["body"] for message in await harness.outbox("DisplayName")]
    ]


async def test_each_change_of_a_name_is_said_once_and_with_its_revision(harness: Harness) -> None:
    org_id = await harness.organization("Praxis Dr. Ahorn")
    org = str(org_id)
    await harness.agent(org_id, id="a", name="Empfang")
    await harness.patch(f"/api/organizations/{org_id}", {"tier": "professional"})
    await harness.patch(f"/api/organizations/{org_id}", {"name": "Praxis Dr. Birke"})
    await harness.patch("/api/agents/a", {"systemPrompt": "You answer."}, org_id)
    await harness.patch("/api/agents/a", {"name": "Telefon"}, org_id)
    await harness.post("/api/assistants/sync", {"agentId": "a"}, org_id)
    await harness.delete("/api/agents/a", org_id)

    assert await _told(harness) == [
        (org, None, "Praxis Dr. Ahorn", 1),
        (org, "a", "Empfang", 1),
        (org, None, "Praxis Dr. Birke", 3),
        (org, "a", "Telefon", 3),
        (org, "a", None, 4),
    ]


async def test_a_deletion_takes_back_the_clinics_name_and_each_agents(harness: Harness) -> None:
    org_id = await harness.organization()
    for agent in ("a", "b"):
        await harness.agent(org_id, id=agent)
    await harness.delete(f"/api/organizations/{org_id}")

    ends = [(org, agent) for org, agent, name, _ in await _told(harness) if name is None]
    assert sorted(ends, key=str) == [(str(org_id), "a"), (str(org_id), "b"), (str(org_id), None)]


async def test_plain_sql_does_the_same(harness: Harness) -> None:
    org_id = await harness.owner.fetchval("INSERT INTO organizations (name) VALUES ('Ahorn') RETURNING id")
    await harness.owner.execute("INSERT INTO agents (org_id, id, name) VALUES ($1, 'a', 'Empfang')", org_id)
    await harness.owner.execute("UPDATE agents SET name = 'Telefon'")
    await harness.owner.execute("UPDATE organizations SET name = 'Birke'")
    await harness.owner.execute("DELETE FROM organizations")
    org = str(org_id)

    assert [one[:3] for one in await _told(harness)] == [
        (org, None, "Ahorn"),
        (org, "a", "Empfang"),
        (org, "a", "Telefon"),
        (org, None, "Birke"),
        (org, "a", None),
        (org, None, None),
    ]


async def test_no_other_message_has_a_name(harness: Harness) -> None:
    org_id = await harness.organization("Praxis Dr. Ahorn")
    await harness.agent(org_id, id="a", name="Empfang Ahorn")
    await harness.patch(f"/api/organizations/{org_id}", {"name": "Ahorn und Birke"})
    await harness.delete(f"/api/organizations/{org_id}")

    others = await harness.owner.fetch("SELECT body::text FROM outbox WHERE type NOT LIKE '%DisplayName%'")
    assert len(others) == 5
    assert not [row[0] for row in others if "Ahorn" in row[0]]
    saved = await harness.outbox("OrganizationSaved")
    assert {message["body"]["name"] for message in saved} == {str(org_id)}


async def test_a_kept_answer_loses_the_name_of_a_clinic_that_is_deleted(harness: Harness) -> None:
    key = {"Idempotency-Key": "k"}
    made = await harness.post("/api/organizations", {"name": "Praxis Dr. Ahorn"}, headers=key)
    kept = await harness.post("/api/organizations", {"name": "Praxis Dr. Birke"}, headers={"Idempotency-Key": "other"})
    org = made.json()["id"]
    await harness.delete(f"/api/organizations/{org}", headers={"Idempotency-Key": "end"})

    again = await harness.post("/api/organizations", {"name": "Praxis Dr. Ahorn"}, headers=key)

    assert (again.status_code, again.json()) == (201, {**made.json(), "name": org})
    bodies = [row["body"] for row in await harness.owner.fetch("SELECT body FROM idempotency_keys")]
    assert not [body for body in bodies if "Ahorn" in body]
    assert json.loads(kept.text) in [json.loads(body) for body in bodies if body]


async def test_a_name_waits_for_its_transaction_and_for_the_one_before(
    harness: Harness, assistant_api_db: DatabaseUrls
) -> None:
    """Two at the same row: the second is told after the first, whichever of them began first."""
    org_id = await harness.organization("Ahorn")
    first, second = await asyncpg.connect(assistant_api_db.owner), await asyncpg.connect(assistant_api_db.owner)
    try:
        late, early = second.transaction(), first.transaction()
        await late.start()
        await second.execute("SELECT now()")
        await early.start()
        await first.execute("UPDATE organizations SET name = 'Birke' WHERE id = $1", org_id)
        await early.commit()
        await second.execute("DELETE FROM organizations WHERE id = $1", org_id)
        await late.commit()
    finally:
        await first.close()
        await second.close()
    assert [name for _, _, name, _ in await _told(harness)] == ["Ahorn", "Birke", None]


# On a broker.


@pytest_asyncio.fixture(loop_scope="session")
async def settings(assistant_api_db: DatabaseUrls, sandbox: Sandbox, kafka: TestKafka) -> Settings:
    """Settings with a broker; no check becomes due by itself but the first."""
    compacted_one = {"display_names_topic": await kafka.create_topic("names", cleanup_policy="compact")}
    return make_settings(
        assistant_api_db,
        sandbox,
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        **await own_topics(kafka) | compacted_one,
        consumer_group=f"group-{uuid4()}",
    )


async def _on_topic(settings: Settings) -> Mapping[tuple[str, str | None], str]:
    """The names that the topic's newest records have."""
    found: dict[tuple[str, str | None], str] = {}
    async with compacted(settings.kafka_bootstrap_servers, settings.display_names_topic, "test") as reading:
        async for newest in reading.partitions():
            for record in newest.values():
                found |= _named(record)
    return found


def _named(record: ConsumerRecord) -> dict[tuple[str, str | None], str]:
    try:
        said = read_name(record.key, record.value, record.headers)
    except UndecodableRecord:
        return {}
    if said.message is None:
        return {}
    return {(str(said.named.org_id), said.named.agent_id): said.message.name}


async def _eventually_on_topic(settings: Settings, expected: Mapping[Any, str]) -> None:
    async def as_expected() -> bool:
        return await _on_topic(settings) == expected

    await eventually(as_expected, within_seconds=20)


async def _sent(harness: Harness) -> None:
    async def empty() -> bool:
        return bool(await harness.owner.fetchval("SELECT count(*) = 0 FROM outbox"))

    await eventually(empty, within_seconds=20)


async def _check_now(harness: Harness) -> int:
    """What a comparison by this process puts into the outbox, once no other is at it."""
    await harness.owner.execute("UPDATE name_checks SET due_at = now() + interval '1 hour'")
    await _sent(harness)
    await harness.owner.execute("UPDATE name_checks SET due_at = now()")
    return await harness.service.names.run_once()


@pytest.fixture
def only_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparisons are made by the test."""
    monkeypatch.setattr("assistant_api.app.loops.NAMES_SECONDS", 3600.0)


async def test_the_topics_newest_records_are_the_rows(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi
) -> None:
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        org_id = await harness.organization("Praxis Dr. Ahorn")
        org = str(org_id)
        await harness.agent(org_id, id="a", name="Empfang")
        await _eventually_on_topic(settings, {(org, None): "Praxis Dr. Ahorn", (org, "a"): "Empfang"})
        await harness.patch(f"/api/organizations/{org_id}", {"name": "Praxis Dr. Birke"})
        await _eventually_on_topic(settings, {(org, None): "Praxis Dr. Birke", (org, "a"): "Empfang"})
        await harness.delete(f"/api/organizations/{org_id}")
        await _eventually_on_topic(settings, {})


async def test_what_was_there_before_the_topic_is_said_at_the_first_start(
    settings: Settings,
    assistant_api_db: DatabaseUrls,
    vapi: Vapi,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(names, "ROWS_MAX", 3)
    owner = await asyncpg.connect(assistant_api_db.owner)
    ids = [uuid4() for _ in range(7)]
    insert = "INSERT INTO organizations (id, name) VALUES ($1, $2)"
    await owner.executemany(insert, [(org, f"Praxis {org}") for org in ids])
    insert = "INSERT INTO agents (org_id, id, name) VALUES ($1, 'a', 'Empfang')"
    await owner.executemany(insert, [(org,) for org in ids])
    await owner.execute("DELETE FROM outbox WHERE type LIKE '%DisplayName%'")
    await owner.close()
    clinics = {(str(org), None): f"Praxis {org}" for org in ids}
    agents = {(str(org), "a"): "Empfang" for org in ids}

    async with whole_service(settings, assistant_api_db, vapi) as harness:
        await _eventually_on_topic(settings, clinics | agents)
        assert await _check_now(harness) == 0
        due = await harness.owner.fetchval("SELECT due_at > now() + interval '5 hours' FROM name_checks")
        assert due


@pytest.mark.usefixtures("only_by_hand")
async def test_a_name_that_a_late_relay_brought_back_is_taken_back_again(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi, kafka: TestKafka
) -> None:
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        gone, there = await harness.organization("Praxis Dr. Ahorn"), await harness.organization("Praxis Dr. Birke")
        await harness.patch(f"/api/organizations/{there}", {"name": "Praxis Dr. Eibe"})
        await harness.delete(f"/api/organizations/{gone}")
        await _eventually_on_topic(settings, {(str(there), None): "Praxis Dr. Eibe"})
        await _say_late(settings, kafka, harness, gone, "Praxis Dr. Ahorn")
        await _say_late(settings, kafka, harness, there, "Praxis Dr. Birke")
        assert len(await _on_topic(settings)) == 2

        assert await _check_now(harness) == 2

        await _eventually_on_topic(settings, {(str(there), None): "Praxis Dr. Eibe"})


@pytest.mark.usefixtures("only_by_hand")
async def test_what_cannot_be_read_under_a_names_key_is_replaced_and_another_key_is_left_alone(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi, kafka: TestKafka
) -> None:
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        org_id = await harness.organization("Praxis Dr. Ahorn")
        await _sent(harness)
        await _send(kafka, settings, Named(org_id, None).key, b"{")
        await _send(kafka, settings, Named(uuid4(), "a").key, b"Dr. Nobody")
        await _send(kafka, settings, b"whatever", b"Dr. Nobody")

        assert await _check_now(harness) == 2

        await _eventually_on_topic(settings, {(str(org_id), None): "Praxis Dr. Ahorn"})
        assert await _check_now(harness) == 0


@pytest.mark.usefixtures("only_by_hand")
async def test_after_a_restore_names_are_as_the_rows_are_and_no_earlier(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi
) -> None:
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        kept, lost = await harness.organization("Praxis Dr. Ahorn"), await harness.organization("Praxis Dr. Birke")
        await harness.agent(kept, id="a", name="Empfang")
        await harness.patch(f"/api/organizations/{kept}", {"name": "Praxis Dr. Eibe"})
        await _sent(harness)
    said = await _on_topic(settings)
    admin = await asyncpg.connect(assistant_api_db.admin)
    await admin.execute("SET session_replication_role = replica")  # set back, without a trigger
    await admin.execute("UPDATE organizations SET name = 'Praxis Dr. Ahorn', revision = 1 WHERE id = $1", kept)
    await admin.execute("DELETE FROM organizations WHERE id = $1", lost)
    await admin.execute("UPDATE name_checks SET due_at = now()")

    async with service_whatever_it_says(settings, assistant_api_db, vapi) as harness:

        async def says_so() -> bool:
            return "restore-assistant-api.md" in str((await harness.http.get("/readyz")).json())

        await eventually(says_so, within_seconds=20)
        with pytest.raises(Exception, match="ahead of the rows"):
            await harness.service.names.run_once()
        assert await _on_topic(settings) == said

    owner = await asyncpg.connect(assistant_api_db.owner)
    await begin_again(owner, "platform", settings.installation_id, Listing(frozenset(), ()))
    await owner.close()
    await admin.close()
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        expected = {(str(kept), None): "Praxis Dr. Ahorn", (str(kept), "a"): "Empfang"}
        await _eventually_on_topic(settings, expected)
        assert await _check_now(harness) == 0


@pytest.mark.usefixtures("only_by_hand")
async def test_one_process_compares_and_one_that_died_at_it_is_followed_by_another(
    settings: Settings, assistant_api_db: DatabaseUrls, vapi: Vapi, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        await harness.organization("Praxis Dr. Ahorn")
        await _sent(harness)
        service = harness.service
        one, other = (NameCheck(settings, service.database, service.guard, service.wake_relay) for _ in range(2))

        async def waits() -> None:
            await asyncio.Event().wait()

        async def dies() -> Any:
            raise MemoryError

        monkeypatch.setattr(service.names, "_guard", SimpleNamespace(require_not_ahead=waits))  # its loop is no third
        monkeypatch.setattr(one, "_said", dies)
        await harness.owner.execute("UPDATE name_checks SET due_at = now()")
        with pytest.raises(MemoryError):
            await one.run_once()

        assert await other.run_once() == 0
        assert not await harness.owner.fetchval("SELECT due_at <= now() FROM name_checks")
        assert await harness.owner.fetchval("SELECT due_at <= now() + interval '15 minutes' FROM name_checks")


async def _say_late(settings: Settings, kafka: TestKafka, harness: Harness, org_id: UUID, name: str) -> None:
    """What the outbox said of a clinic first, once more."""
    log_id = await harness.owner.fetchval("SELECT log_id FROM installation")
    message = DisplayName(org_id=org_id, name=name, revision=1)
    time = await harness.service.database.now()
    record = name_record(Named(org_id, None), message, id=uuid4(), time=time, log_id=log_id)
    await _send(kafka, settings, record.key, record.value, list(record.headers))


async def _send(
    kafka: TestKafka,
    settings: Settings,
    key: bytes,
    value: bytes | None,
    headers: list[tuple[str, bytes]] | None = None,
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    await producer.start()
    try:
        await producer.send_and_wait(settings.display_names_topic, value, key, headers=headers or [])
    finally:
        await producer.stop()
