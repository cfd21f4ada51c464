"""What tool-sync publishes is in the table within seconds, in the prompts of whom it concerns, and answers calls."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from tests.support.eventually import eventually
from tests.unit.assistant_api.published_tools import of, tool, version

from assistant_api.prompt.lines import PERHAPS_UNANSWERED, UNANSWERED
from assistant_api.published import marking, store
from assistant_api.published.reader import BlueprintReader
from assistant_api.settings import Settings
from devstack import topics
from devstack.databases import DatabaseUrls
from devstack.fixtures import TestKafka
from devstack.sandbox import Sandbox
from devstack.topics import TopicSpec
from zerotouch_contracts.blueprint import Told, ToolPublished, published_record
from zerotouch_contracts.events import SyncedTool, ToolsSynced
from zerotouch_contracts.tools import BOOK_CLINIC_APPOINTMENT, BOOK_CLINIC_APPOINTMENT_V2, CANCEL_APPOINTMENT_V2

from .harness import Harness, Vapi, make_settings, running
from .outcomes import hear, outcome_fields

BOOKING: Final = BOOK_CLINIC_APPOINTMENT.name
SENDS: Final = "sendDirections"
LOG: Final = uuid4()
NOW: Final = datetime(2026, 11, 30, 12, tzinfo=UTC)


def told(message: ToolPublished, position: int, *, log_id: UUID = LOG, minutes: float = 0) -> Told:
    at = NOW + timedelta(minutes=position + minutes)
    return Told(message.model_copy(update={"position": position}), log_id, at)


@pytest_asyncio.fixture(loop_scope="session")
async def harness(assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi) -> AsyncIterator[Harness]:
    """The service without Kafka; a change is due at once, and rewrites are asked for by the tests."""
    settings = make_settings(assistant_api_db, sandbox, rewrite_delay_seconds=1e-6)
    async with running(settings, assistant_api_db, vapi) as harness:
        yield harness


async def publish(harness: Harness, *messages: Told) -> list[bool]:
    """As if the reader had just read them, one after the other."""
    kept = []
    for message in messages:
        async with harness.service.database.transaction() as connection:
            kept.append(await store.keep(connection, message))
    await harness.service.published.load()
    return kept


async def synced(harness: Harness, sequence: int, agent_id: str = "a", *tools: tuple[str, int]) -> None:
    linked = tuple(SyncedTool(name=name, vapi_tool_id=name, definition_version=number) for name, number in tools)
    await hear(harness, ToolsSynced(**await outcome_fields(harness, sequence, agent_id, tools=linked)))


async def prompt(harness: Harness, agent_id: str = "a") -> str:
    row = await harness.provisioned(agent_id)
    text: str = (await harness.vapi.assistant(row["vapi_assistant_id"]))["model"]["messages"][0]["content"]
    return text


async def save(harness: Harness, org_id: UUID, agent_id: str = "a") -> None:
    assert (await harness.post("/api/assistants/sync", {"agentId": agent_id}, org_id)).status_code == 200


async def rewrite(harness: Harness) -> int:
    """Mark and ask until nothing is left; how many agents were asked for."""
    asked = 0

    async def nothing_left() -> bool:
        nonlocal asked
        while await harness.service.marking.run_once():
            pass
        asked += await harness.service.blocks.run_once()
        return not await harness.owner.fetchval(
            "SELECT (SELECT count(*) FROM outcomes WHERE tools_lost_at IS NOT NULL)"
            " + (SELECT count(*) FROM agents WHERE saved_revision > greatest(provisioned_revision, refused_revision))"
        )

    await eventually(nothing_left, within_seconds=60)
    return asked


async def assistant_with(harness: Harness, *tools: tuple[str, int], agent_id: str = "a") -> UUID:
    """A saved assistant whose prompt names these tools."""
    org_id = await harness.organization()
    await harness.agent(org_id, id=agent_id)
    await synced(harness, 1, agent_id, *tools)
    await save(harness, org_id, agent_id)
    await harness.provisioned(agent_id)
    return org_id


async def test_a_tool_of_another_service_is_described_from_the_next_save_on(harness: Harness) -> None:
    org_id = await assistant_with(harness, (SENDS, 1))
    assert SENDS not in await prompt(harness)
    await publish(harness, told(tool(SENDS, version(1)), 1))
    assert await rewrite(harness) == 0, "nothing that the prompt says is wrong"
    await save(harness, org_id)
    assert f"{SENDS}: Sends the way, version 1.\n- channel (required)" in await prompt(harness)


async def test_a_new_version_that_answers_rewrites_nobodys_prompt(harness: Harness) -> None:
    org_id = await assistant_with(harness, (BOOKING, 2))
    first = await prompt(harness)
    writes = await harness.vapi.writes()
    old, new = of(BOOK_CLINIC_APPOINTMENT_V2), of(BOOK_CLINIC_APPOINTMENT_V2, 3, description="Books. Say hello first.")
    await publish(harness, told(tool(BOOKING, old), 1), told(tool(BOOKING, old, new), 2))
    assert await rewrite(harness) == 0
    # Every clinic has it: an update in place, of which no outcome tells.
    await publish(harness, told(tool(BOOKING, old.model_copy(update={"ordered": False}), new), 3))
    assert await rewrite(harness) == 0
    assert await harness.vapi.writes() == writes
    assert await prompt(harness) == first

    await save(harness, org_id)
    assert "Say hello first." in await prompt(harness)
    writes = await harness.vapi.writes()
    await synced(harness, 2, "a", (BOOKING, 3))
    assert await rewrite(harness) == 0, "the prompt says so already"
    assert await harness.vapi.writes() == writes


async def test_a_version_that_never_answers_rewrites_once_who_was_told_to_wait_and_nobody_else(
    harness: Harness,
) -> None:
    await assistant_with(harness, (BOOKING, 2), agent_id="waits")
    await assistant_with(harness, (BOOKING, 1), agent_id="waits-not")
    await assistant_with(harness, ("cancelAppointment", 2), agent_id="another-tool")
    await assistant_with(harness, agent_id="no-tool")
    answers = [of(BOOK_CLINIC_APPOINTMENT, ordered=False), of(BOOK_CLINIC_APPOINTMENT_V2)]
    await publish(harness, told(tool(BOOKING, *answers), 1))
    assert await rewrite(harness) == 0
    reads, writes = await harness.vapi.requests("GET"), await harness.vapi.writes()

    never = of(BOOK_CLINIC_APPOINTMENT_V2, 3, asynchronous=True)
    await publish(harness, told(tool(BOOKING, *answers, never), 2))

    assert await rewrite(harness) == 1
    assert len(await harness.vapi.writes()) == len(writes) + 1
    assert len(await harness.vapi.requests("GET")) == len(reads) + 1
    assert PERHAPS_UNANSWERED in await prompt(harness, "waits")
    assert UNANSWERED in await prompt(harness, "waits-not")
    for agent_id in ("another-tool", "no-tool"):
        assert await harness.saves(agent_id) == [(1, "save", "saved"), (2, "sync", "saved")]

    # The stage goes on, and it is completed: nothing is said anew. Who has it is told so by the next outcome.
    await publish(harness, told(tool(BOOKING, *answers, never.model_copy(update={"held": True})), 3))
    assert await rewrite(harness) == 0
    await synced(harness, 2, "waits", (BOOKING, 3))
    assert await rewrite(harness) == 1
    said = await prompt(harness, "waits")
    assert UNANSWERED in said
    assert PERHAPS_UNANSWERED not in said

    # It is taken back: what is said stays true, until the next save says it better.
    await publish(harness, told(tool(BOOKING, *answers), 4))
    assert await rewrite(harness) == 0


async def test_every_page_of_outcomes_is_marked_by_whichever_replica_and_after_one_that_died(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marking, "OUTCOMES_MAX", 2)
    for number in range(5):
        await assistant_with(harness, (BOOKING, 2), agent_id=f"a{number}")
    never = of(BOOK_CLINIC_APPOINTMENT_V2, 3, asynchronous=True)
    await publish(harness, told(tool(BOOKING, of(BOOK_CLINIC_APPOINTMENT_V2), never), 1))
    marked = "SELECT count(*) FROM outcomes WHERE tools_lost_at IS NOT NULL"

    async with harness.service.database.connection() as connection:
        dies = connection.transaction()
        await dies.start()
        await connection.fetchrow(marking._DUE)
        assert not await harness.service.marking.run_once(), "another replica is at it"
        await dies.rollback()  # before its page is written
    assert await harness.owner.fetchval(marked) == 0
    assert await harness.service.marking.run_once()
    assert await harness.owner.fetchval(marked) == 2
    another = marking.Marking(harness.service.database)
    while await another.run_once():
        pass
    assert await harness.owner.fetchval(marked) == 5
    assert await rewrite(harness) == 5


async def test_a_version_ordered_while_outcomes_are_walked_walks_all_of_them_again(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marking, "OUTCOMES_MAX", 1)
    for number in range(2):
        await assistant_with(harness, (BOOKING, 2), agent_id=f"a{number}")
    never = [of(BOOK_CLINIC_APPOINTMENT_V2, number, asynchronous=True) for number in (3, 4)]
    await publish(harness, told(tool(BOOKING, never[0]), 1))
    assert await harness.service.marking.run_once()
    await harness.owner.execute("UPDATE outcomes SET tools_lost_at = NULL")
    await publish(harness, told(tool(BOOKING, *never), 2))
    while await harness.service.marking.run_once():
        pass
    assert await harness.owner.fetchval("SELECT count(*) FROM outcomes WHERE tools_lost_at IS NOT NULL") == 2


async def test_an_older_record_after_a_newer_one_changes_nothing_and_a_repeat_neither(harness: Harness) -> None:
    newer, older = told(tool(SENDS, version(2)), 7), told(tool(SENDS, version(1)), 6)
    assert await publish(harness, newer, older, newer, told(newer.message, 7, minutes=-1)) == [
        True,
        False,
        False,
        False,
    ]
    assert harness.service.published.now.tools[SENDS].versions == newer.message.versions


async def test_a_restored_log_is_followed_and_the_one_before_it_never_again(harness: Harness) -> None:
    other = uuid4()
    said = tool(SENDS, version(1))
    restored = told(tool(SENDS, version(9)), 3, log_id=other, minutes=60)
    assert await publish(harness, told(said, 9), restored, told(said, 99)) == [True, True, False]
    assert harness.service.published.now.tools[SENDS].by_version.keys() == {9}


async def test_two_replicas_that_read_the_same_records_in_two_orders_keep_the_newest(harness: Harness) -> None:
    records = [told(tool(SENDS, version(number)), number) for number in range(1, 9)]

    async def replica(order: Iterable[Told]) -> None:
        for one in order:
            async with harness.service.database.transaction() as connection:
                await store.keep(connection, one)

    await asyncio.gather(replica(records), replica(reversed(records)), replica(records[::2]))
    assert (await harness.service.published.load()).tools[SENDS].position == 8


async def test_a_call_is_answered_by_what_was_published_whatever_the_tool_names(harness: Harness) -> None:
    await publish(harness, told(tool("cancelAppointment", of(CANCEL_APPOINTMENT_V2, 3)), 1))
    org_id = await harness.organization()
    static = {"organization_id": str(org_id), "definition_version": 3, "contract": 1}
    asked = {"patientPhone": "+49 30 1234567", "appointmentDate": "2026-12-03", **static}
    handler = harness.service.parts.tool_calls
    from assistant_api.tool_calls.payload import ToolCall, ToolCalls

    call = ToolCall("c1", "cancelAppointment", asked)
    answer = await handler.handle(ToolCalls("conversation", (call,)), call)
    assert (answer.code, "patientName is missing" in answer.text) == ("invalid_arguments", True)


# ---- with Kafka


class Topic:
    """The topic, and who writes to it."""

    def __init__(self, settings: Settings, producer: AIOKafkaProducer) -> None:
        self.settings, self.producer = settings, producer

    async def say(self, message: Told) -> None:
        """What tool-sync writes."""
        record = published_record(message.message, id=uuid4(), log_id=message.log_id, at=message.at)
        await self.send(record.key, record.value, record.headers)

    async def send(self, key: bytes, value: bytes | None, headers: Iterable[tuple[str, bytes]] = ()) -> None:
        """What anybody writes."""
        await self.producer.send_and_wait(self.settings.blueprint_topic, value, key, headers=list(headers))


@pytest_asyncio.fixture(loop_scope="session")
async def topic(assistant_api_db: DatabaseUrls, sandbox: Sandbox, kafka: TestKafka) -> AsyncIterator[Topic]:
    settings = make_settings(
        assistant_api_db,
        sandbox,
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        blueprint_topic=await kafka.create_topic("blueprint", cleanup_policy="compact"),
        reconnect_seconds_max=0.2,
        rewrite_delay_seconds=1e-6,
    )
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    await producer.start()
    try:
        yield Topic(settings, producer)
    finally:
        await producer.stop()


@asynccontextmanager
async def reading(topic: Topic, urls: DatabaseUrls, vapi: Vapi, **options: Any) -> AsyncIterator[Harness]:
    """The service, whose reader alone has Kafka."""
    async with running(topic.settings, urls, vapi) as harness:
        reader = BlueprintReader(topic.settings, harness.service.database, harness.service.published, **options)
        task = asyncio.create_task(reader.run_forever())
        try:
            yield harness
        finally:
            reader.stop()
            await asyncio.wait_for(task, 5)


async def versions_of(harness: Harness, name: str) -> set[int]:
    """What this process knows."""
    said = harness.service.published.now.tools.get(name)
    return set() if said is None else set(said.by_version)


async def knows(harness: Harness, name: str, *numbers: int) -> None:
    """Return once this process knows exactly these versions."""

    async def check() -> bool:
        return await versions_of(harness, name) == set(numbers)

    await eventually(check, within_seconds=20)


async def test_what_is_published_is_in_the_next_prompt_within_seconds_and_survives_a_restart_without_kafka(
    topic: Topic, assistant_api_db: DatabaseUrls, vapi: Vapi
) -> None:
    async with reading(topic, assistant_api_db, vapi) as harness:
        org_id = await assistant_with(harness, (SENDS, 1))
        await topic.say(told(tool(SENDS, version(1)), 1))
        await knows(harness, SENDS, 1)
        await save(harness, org_id)
        assert "Sends the way, version 1." in await prompt(harness)

    topic.settings = topic.settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:1"})
    async with running(topic.settings, assistant_api_db, vapi) as harness:
        await save(harness, org_id)
        assert "Sends the way, version 1." in await prompt(harness)


async def test_what_nobody_can_read_is_passed_over_and_told_once(
    topic: Topic, assistant_api_db: DatabaseUrls, vapi: Vapi, capsys: pytest.CaptureFixture[str]
) -> None:
    await topic.say(told(tool(SENDS, version(1)), 1))
    for value in (None, b"\xff\xfe", b"{}", b'{"tool": "sendDirections"}'):
        await topic.send(SENDS.encode(), value)
    async with reading(topic, assistant_api_db, vapi, session_seconds=0.5) as harness:
        await knows(harness, SENDS, 1)
        await topic.say(told(tool(SENDS, version(1), version(2)), 2))
        await knows(harness, SENDS, 1, 2)
        await asyncio.sleep(2)  # it begins again a few times
        assert await versions_of(harness, SENDS) == {1, 2}
    assert capsys.readouterr().out.count("blueprint_unreadable") == 4


async def test_a_late_record_of_a_process_that_slept_changes_nothing(
    topic: Topic, assistant_api_db: DatabaseUrls, vapi: Vapi
) -> None:
    async with reading(topic, assistant_api_db, vapi, session_seconds=0.5) as harness:
        await topic.say(told(tool(SENDS, version(1), version(2)), 2))
        await knows(harness, SENDS, 1, 2)
        await topic.say(told(tool(SENDS, version(1)), 1))
        await topic.say(told(tool("another", version(1)), 3))
        await knows(harness, "another", 1)
        assert await versions_of(harness, SENDS) == {1, 2}


async def test_a_topic_that_was_made_again_is_read_from_its_beginning_and_nothing_is_forgotten(
    topic: Topic, assistant_api_db: DatabaseUrls, vapi: Vapi
) -> None:
    servers, name = topic.settings.kafka_bootstrap_servers, topic.settings.blueprint_topic
    async with reading(topic, assistant_api_db, vapi, session_seconds=1.0) as harness:
        for position in range(1, 6):
            await topic.say(told(tool(SENDS, version(position)), position))
        await knows(harness, SENDS, 5)
        await topics.delete(servers, [name])
        await asyncio.sleep(1.5)  # without a topic
        assert await versions_of(harness, SENDS) == {5}
        await topics.create(servers, [TopicSpec(name, 3, {"cleanup.policy": "compact"})])
        async with producing(servers) as producer:
            topic.producer = producer
            await topic.say(told(tool(SENDS, version(6)), 6))
        await knows(harness, SENDS, 6)


@asynccontextmanager
async def producing(servers: str) -> AsyncIterator[AIOKafkaProducer]:
    """Another producer: one that knew the topic before it was made again may write to nowhere."""
    producer = AIOKafkaProducer(bootstrap_servers=servers)
    await producer.start()
    yield producer
    await producer.stop()


async def test_a_release_that_lacks_a_contract_says_so(
    topic: Topic, assistant_api_db: DatabaseUrls, vapi: Vapi, capsys: pytest.CaptureFixture[str]
) -> None:
    async with reading(topic, assistant_api_db, vapi) as harness:
        await topic.say(told(tool(BOOKING, of(BOOK_CLINIC_APPOINTMENT_V2, 3, contract=9)), 1))
        await knows(harness, BOOKING, 3)
        noted = await harness.service.health.ready_notes()
        assert noted["contractsLacking"] == [{"tool": BOOKING, "contract": 9}]
        await topic.say(told(tool(BOOKING, of(BOOK_CLINIC_APPOINTMENT_V2, 4)), 2))
        await knows(harness, BOOKING, 4)
        assert "contractsLacking" not in await harness.service.health.ready_notes()
    assert capsys.readouterr().out.count("contracts_lacking") == 1
