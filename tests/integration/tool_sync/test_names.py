"""What clinics and agents are called: read from the topic into a table beside the log, shown, found, and forgotten."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from aiokafka import AIOKafkaProducer
from tests.support.eventually import eventually

from devstack.fixtures import TestKafka
from devstack.tokens import Signer
from tool_sync import db
from tool_sync.domain import events
from tool_sync.http.app import build
from tool_sync.http.state import HttpState
from tool_sync.intake.display_names import NamesReader, names_reader
from tool_sync.log import EventLog, fact, org_stream
from tool_sync.queries.display_names import FoundOrg, find, name_of, names_of
from tool_sync.settings import Settings
from zerotouch_contracts.names import DisplayName, Named, name_record
from zerotouch_platform import telemetry
from zerotouch_platform.auth import TokenVerifier
from zerotouch_platform.health import Health

from .command import command, envelope, result

LOG_ID = uuid4()
Names = dict[tuple[UUID, str], str]


@dataclass
class Topic:
    """The topic of this test's own, and what the table makes of it."""

    settings: Settings
    producer: Any
    pool: db.Pool

    async def say(
        self, org_id: UUID, name: str | None, agent_id: str | None = None, *, revision: int = 1, log_id: UUID = LOG_ID
    ) -> None:
        """A record; without a name the end of one."""
        message = None
        if name is not None:
            message = DisplayName(org_id=org_id, agent_id=agent_id, name=name, revision=revision)
        record = name_record(Named(org_id, agent_id), message, id=uuid4(), time=datetime.now(UTC), log_id=log_id)
        await self.raw(record.key, record.value, list(record.headers))

    async def raw(self, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()) -> None:
        """Any record at all."""
        await self.producer.send_and_wait(self.settings.display_names_topic, value, key, headers=list(headers))

    async def table(self) -> Names:
        """What is kept, '' for the clinic itself."""
        rows = await self.pool.fetch("SELECT org_id, agent_id, name FROM display_names")
        return {(row["org_id"], row["agent_id"]): row["name"] for row in rows}

    async def becomes(self, expected: Names) -> None:
        """Wait for it."""

        async def is_so() -> bool:
            return await self.table() == expected

        await eventually(is_so, within_seconds=20)

    @asynccontextmanager
    async def read(self, session_seconds: float = 3600.0) -> AsyncIterator[NamesReader]:
        """A process that reads."""
        reader = names_reader(self.settings, self.pool, session_seconds=session_seconds)
        running = asyncio.create_task(reader.run_forever())
        try:
            yield reader
        finally:
            reader.stop()
            await running


@pytest.fixture
async def topic(settings: Settings, kafka: TestKafka, pool: db.Pool) -> AsyncIterator[Topic]:
    name = await kafka.create_topic("names", cleanup_policy="compact")
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    await producer.start()
    yield Topic(settings.model_copy(update={"display_names_topic": name}), producer, pool)
    await producer.stop()


async def append(log: EventLog, org_id: UUID, event: events.OrgEvent) -> None:
    stream = org_stream(org_id)
    await log.append(fact(stream, org_id, event, source="/test", cause=str(uuid4()), actor="test", service_version="1"))


async def opened(log: EventLog) -> UUID:
    org_id = uuid4()
    await append(log, org_id, events.OrgRegistered("basic"))
    return org_id


async def test_the_newest_record_of_each_key_is_kept_and_an_end_forgets_it(topic: Topic) -> None:
    one, other = uuid4(), uuid4()
    await topic.say(one, "Praxis Dr. Ahorn")
    await topic.say(one, "Empfang", "a")
    await topic.say(one, "Praxis Dr. Birke", revision=2)
    await topic.say(other, "Praxis Dr. Eibe")
    await topic.say(other, None)

    async with topic.read() as reader:
        await topic.becomes({(one, ""): "Praxis Dr. Birke", (one, "a"): "Empfang"})
        await topic.say(one, None, "a")
        await topic.say(other, "Praxis Dr. Eibe", revision=2)
        await topic.becomes({(one, ""): "Praxis Dr. Birke", (other, ""): "Praxis Dr. Eibe"})
        assert reader.problem is None


async def test_what_is_older_never_replaces_what_is_newer_and_a_restored_database_begins_anew(topic: Topic) -> None:
    org, end = uuid4(), uuid4()
    async with topic.read():
        await topic.say(org, "newer", revision=5)
        await topic.becomes({(org, ""): "newer"})
        await topic.say(org, "older", revision=4)
        await topic.say(end, "end")
        await topic.becomes({(org, ""): "newer", (end, ""): "end"})
        await topic.say(org, "restored", revision=2, log_id=uuid4())
        await topic.becomes({(org, ""): "restored", (end, ""): "end"})


async def test_records_that_are_no_names_are_passed_over_and_kept_nowhere(
    topic: Topic, caplog: pytest.LogCaptureFixture
) -> None:
    org, end = uuid4(), uuid4()
    await topic.say(org, "Praxis Dr. Ahorn")
    async with topic.read() as reader:
        await topic.becomes({(org, ""): "Praxis Dr. Ahorn"})
        for key in (b"", b"Dr. Canary", Named(org, None).key, Named(uuid4(), "a").key):
            for value in (b"Dr. Canary", b'{"name": "Dr. Canary"}', b"\xff" * 10, b"x" * 300_000, None):
                await topic.raw(key, value)
        await topic.say(end, "end")
        await topic.becomes({(org, ""): "Praxis Dr. Ahorn", (end, ""): "end"})
        assert reader.problem is None
    assert await topic.pool.fetchval("SELECT count(*) FROM dead_letters") == 0
    assert "Canary" not in caplog.text


async def test_the_names_of_a_clinic_that_the_log_says_is_deleted_are_never_kept(topic: Topic, log: EventLog) -> None:
    org, closed, end = await opened(log), await opened(log), uuid4()
    await append(log, closed, events.OrgClosed())
    async with topic.read():
        await topic.say(closed, "Praxis Dr. Ahorn")  # before its own end, which is on the way
        await topic.say(closed, "Empfang", "a")
        await topic.say(org, "Praxis Dr. Birke")
        await topic.say(org, "Telefon", "a")
        await topic.say(end, "end")
        await topic.becomes({(org, ""): "Praxis Dr. Birke", (org, "a"): "Telefon", (end, ""): "end"})
        await append(log, org, events.OrgClosed())
        assert await topic.table() == {(end, ""): "end"}
        await topic.say(closed, None)
        await topic.say(org, "Praxis Dr. Birke", revision=2)
        await topic.say(end, None)
        await topic.becomes({})


async def test_a_clinic_whose_first_event_is_its_end_loses_the_name_that_came_before(
    topic: Topic, log: EventLog
) -> None:
    org = uuid4()
    async with topic.read():
        await topic.say(org, "Praxis Dr. Ahorn")
        await topic.becomes({(org, ""): "Praxis Dr. Ahorn"})
        await append(log, org, events.OrgClosed())
        assert await topic.table() == {}


async def test_a_beginning_makes_the_table_what_the_topic_is(topic: Topic) -> None:
    """Rows that were lost come back, rows that the topic does not have go: an end that was compacted away unread."""
    kept, lost, strange = uuid4(), uuid4(), uuid4()
    await topic.say(kept, "Praxis Dr. Ahorn")
    await topic.say(lost, "Praxis Dr. Birke")
    async with topic.read():
        await topic.becomes({(kept, ""): "Praxis Dr. Ahorn", (lost, ""): "Praxis Dr. Birke"})
    await topic.pool.execute("DELETE FROM display_names WHERE org_id = $1", lost)
    for agent in ("", "a"):
        await topic.pool.execute(
            "INSERT INTO display_names VALUES ($1, $2, 'Dr. Nobody', 'dr. nobody', 1, $3)", strange, agent, LOG_ID
        )

    async with topic.read(session_seconds=0.5):
        await topic.becomes({(kept, ""): "Praxis Dr. Ahorn", (lost, ""): "Praxis Dr. Birke"})
        await topic.pool.execute("DELETE FROM display_names")  # and while it runs, at its next beginning
        await topic.becomes({(kept, ""): "Praxis Dr. Ahorn", (lost, ""): "Praxis Dr. Birke"})


async def test_one_process_reads_and_another_takes_over(
    topic: Topic, admin: "asyncpg.Connection[asyncpg.Record]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tool_sync.intake.table_reader.CANDIDATE_SECONDS", 0.1)
    org = uuid4()
    leaders = (
        "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory'"
        " AND a.application_name = 'tool-sync names' AND a.datname = current_database()"
    )
    async with topic.read(), topic.read():

        async def one_leads() -> bool:
            return bool(await admin.fetchval(leaders) == 1)

        await topic.say(org, "Ahorn")
        await topic.becomes({(org, ""): "Ahorn"})
        assert await one_leads()
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tool-sync names'"
            " AND datname = current_database()"
        )
        await topic.say(org, "Birke", revision=2)
        await topic.becomes({(org, ""): "Birke"})
        await eventually(one_leads)


async def test_a_topic_that_is_not_there_is_a_problem_that_is_told_and_nothing_else(topic: Topic) -> None:
    missing = topic.settings.model_copy(update={"display_names_topic": f"missing-{uuid4()}"})
    reader = names_reader(missing, topic.pool)
    running = asyncio.create_task(reader.run_forever())

    async def told() -> bool:
        return reader.problem is not None and missing.display_names_topic in reader.problem

    await eventually(told, within_seconds=20)
    reader.stop()
    await running


# Reading them.


async def fill(pool: db.Pool, names: dict[UUID, str]) -> None:
    await pool.executemany(
        "INSERT INTO display_names VALUES ($1, '', $2, lower($2), 1, $3)",
        [(org, name, LOG_ID) for org, name in names.items()],
    )


async def test_who_has_no_name_is_called_by_the_id(pool: db.Pool, log: EventLog) -> None:
    one, other = await opened(log), await opened(log)
    await fill(pool, {one: "Praxis Dr. Ahorn"})
    await pool.execute("INSERT INTO display_names VALUES ($1, 'a', 'Empfang', 'empfang', 1, $2)", one, LOG_ID)
    async with pool.acquire() as connection:
        assert await name_of(connection, one) == "Praxis Dr. Ahorn"
        assert await names_of(connection, [(one, "a"), (one, "b"), (other, None)]) == {
            (one, "a"): "Empfang",
            (one, "b"): "b",
            (other, None): str(other),
        }
        assert await names_of(connection, []) == {}
    async with db.tenant_tx(pool, other) as connection:
        assert await name_of(connection, one) == str(one)
    async with db.tenant_tx(pool, one) as connection:
        assert await name_of(connection, one) == "Praxis Dr. Ahorn"


async def test_a_part_of_a_name_is_found_however_it_is_written(topic: Topic, log: EventLog) -> None:
    said = {
        "Zahnarzt Müller": await opened(log),
        "Müller und Söhne": await opened(log),
        "Praxis 100% gesund_": await opened(log),
        "ﷺ" * 200: await opened(log),
        "Praxis Straße": await opened(log),
    }
    for name, org in said.items():
        await topic.say(org, name)
    await topic.say(said["Zahnarzt Müller"], "Müller am Telefon", "a")
    await topic.say(uuid4(), "Müller, von dem das Log nichts weiß")
    async with topic.read():

        async def all_there() -> bool:
            return len(await topic.table()) == 7

        await eventually(all_there, within_seconds=20)
    both = ["Müller und Söhne", "Zahnarzt Müller"]
    async with topic.pool.acquire() as connection:
        for text, expected in {
            "müller": both,
            " MU\u0308LLER ": both,
            "STRASSE": ["Praxis Straße"],
            "100%": ["Praxis 100% gesund_"],
            "_": ["Praxis 100% gesund_"],
            "%": ["Praxis 100% gesund_"],
            "praxis": ["Praxis 100% gesund_", "Praxis Straße"],
            "Empfang": [],
            "Telefon": [],
        }.items():
            assert [one.name for one in await find(connection, text)] == expected, text
        assert await find(connection, "müller", 1) == [FoundOrg(said["Müller und Söhne"], "Müller und Söhne")]


async def test_among_100_000_clinics_a_search_takes_less_than_50_ms(
    pool: db.Pool, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await admin.execute(
        """
        INSERT INTO organizations (id, tier, closed, created_at, updated_at, position)
        SELECT gen_random_uuid(), 'basic', false, now(), now(), i FROM generate_series(1, 100000) i
        """
    )
    await admin.execute(
        """
        INSERT INTO display_names
        SELECT id, agent, name, lower(name), 1, id
          FROM organizations, unnest(ARRAY['', 'a', 'b']) AS agent,
               concat('Gemeinschaftspraxis Dr. ', md5(id::text)) AS name
        """
    )
    await admin.execute("VACUUM ANALYZE display_names, organizations")
    took: dict[str, float] = {}
    async with pool.acquire() as connection:
        for text in ("dr. ab", "f00", "nobody", "gemeinschaft", "praxis"):
            times = []
            for _ in range(7):
                began = time.perf_counter()
                await find(connection, text, 20)
                times.append(time.perf_counter() - began)
            took[text] = sorted(times)[3]
    print({text: f"{1000 * seconds:.1f} ms" for text, seconds in took.items()})
    assert max(took.values()) < 0.05, took


async def test_a_platform_finds_clinics_over_http_and_a_clinic_does_not(
    settings: Settings, pool: db.Pool, log: EventLog, signer: Signer
) -> None:
    orgs = [await opened(log) for _ in range(3)]
    await fill(pool, {org: f"Praxis {number}" for number, org in enumerate(orgs)})
    app = build(HttpState(TokenVerifier(settings), Health(check_seconds_max=0.2, starting=None), pool), telemetry.off())
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://tool-sync") as client:

        async def ask(query: str, token: str = "") -> httpx.Response:
            bearer = {"Authorization": f"Bearer {token or signer.platform_token()}"}
            return await client.get(f"/v1/orgs{query}", headers=bearer)

        first = await ask("?name=praxis&limit=2")
        assert first.json() == {
            "organizations": [{"org_id": str(orgs[n]), "name": f"Praxis {n}"} for n in (0, 1)],
            "more": True,
        }
        assert (await ask("?name=2")).json()["organizations"] == [{"org_id": str(orgs[2]), "name": "Praxis 2"}]
        assert (await ask("?name=nobody")).json() == {"organizations": [], "more": False}
        assert {(await ask(bad)).status_code for bad in ("", "?name=", "?name=a&limit=0", f"?name={'a' * 201}")} == {
            422
        }
        assert (await ask("?name=%00")).status_code == 422
        assert (await ask("?name=praxis", signer.org_token(str(orgs[0])))).status_code == 403
        bearer = {"Authorization": f"Bearer {signer.org_token(str(orgs[0]))}"}
        assert (await client.get(f"/v1/orgs/{orgs[0]}/tools", headers=bearer)).json()["name"] == "Praxis 0"


async def test_the_command_finds_a_clinic_and_lists_say_its_name(
    settings: Settings, pool: db.Pool, log: EventLog
) -> None:
    one, other = await opened(log), await opened(log)
    await fill(pool, {one: "Praxis \x1b[31mDr. Ahorn"})
    url = settings.database_url

    status, out, _ = await command("org", "find", "ahorn", database_url=url)
    assert (status, out) == (0, f"Praxis ?[31mDr. Ahorn ({one})\n1 organization(s)\n")
    status, out, _ = await command("org", "find", "nobody", "--json", database_url=url)
    assert (status, result(out), envelope(out)["complete"]) == (1, [], True)
    _, out, _ = await command("tools", str(one), database_url=url)
    assert out.splitlines()[0] == f"Praxis ?[31mDr. Ahorn ({one})"
    _, out, _ = await command("tools", str(other), "--json", database_url=url)
    assert result(out)["name"] == str(other)
