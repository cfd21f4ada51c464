"""Heads reach the topic once a round, whatever dies, sleeps or is away; and the command compares them with the log."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from structlog.testing import capture_logs
from tests.support.eventually import eventually

from devstack.databases import DatabaseUrls
from devstack.fixtures import TestKafka
from tool_sync import db
from tool_sync.cli.log_heads import HeadsSource
from tool_sync.cli.log_verify import verify_log
from tool_sync.log import EventLog
from tool_sync.log.verify import verify as verify_events
from tool_sync.outcomes.heads.comparing import compare
from tool_sync.outcomes.heads.heads_topic import HeadsRead, all_heads
from tool_sync.outcomes.heads.keys import SigningKey, VerifyKeys
from tool_sync.outcomes.heads.signer import HeadRefused, HeadSigner
from tool_sync.settings import Settings
from zerotouch_contracts.heads import LogHead, digest_of
from zerotouch_platform.kafka.topics import KafkaUnavailable, TopicMissing

from ..command import command, result
from ..event_log.making import arrived
from ..test_service import running, until_ready
from .signing import new_pems, sign_now

PRIVATE, PUBLIC = new_pems()
STRANGER = new_pems()[0]


@dataclass
class Heads:
    """A log, a topic of heads of its own, and processes that sign."""

    settings: Settings
    pool: db.Pool
    log: EventLog
    log_id: UUID
    seconds: float = 0.0
    signers: list[HeadSigner] = field(default_factory=list)

    def process(self, pem: str = PRIVATE, **settings: Any) -> HeadSigner:
        """Another process."""
        told = self.settings.model_copy(update=settings)
        at = datetime(2026, 11, 30, 3, 12, tzinfo=UTC)
        signer = HeadSigner(told, self.pool, self.log_id, SigningKey(pem), lambda: self.seconds, lambda: at)
        self.signers.append(signer)
        return signer

    async def died(self, signer: HeadSigner) -> None:
        """Its sessions have ended, and what it remembered is gone."""
        self.signers.remove(signer)
        signer.loop.stop()
        assert signer.loop.at_end is not None
        await signer.loop.at_end()

    async def happened(self, count: int = 1) -> None:
        """Something was appended."""
        await self.log.append_all([arrived(uuid4()) for _ in range(count)])

    async def on_topic(self) -> HeadsRead:
        """What lies on the topic."""
        return await all_heads(self.settings.kafka_bootstrap_servers, self.settings.heads_topic)


@pytest.fixture
async def heads(
    settings: Settings, kafka: TestKafka, pool: db.Pool, log: EventLog, owner: "asyncpg.Connection[asyncpg.Record]"
) -> AsyncIterator[Heads]:
    """A topic of its own."""
    told = settings.model_copy(update={"heads_topic": await kafka.create_topic("heads")})
    world = Heads(told, pool, log, await db.read_log_id(owner))
    yield world
    for signer in list(world.signers):
        await world.died(signer)


@pytest.fixture
async def owner(tool_sync_db: DatabaseUrls) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection of the role that owns every table."""
    connection = await asyncpg.connect(tool_sync_db.owner)
    yield connection
    await connection.close()


@pytest.fixture
def verify(heads: Heads, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """What the command prints for people, in one line, or for scripts; and its exit status."""
    told = heads.settings
    topics = {"outcomes": told.outcomes_topic, "fleet": told.fleet_topic}

    async def run(file: Path | None = None, *, on_topic: bool = True, as_json: bool = False) -> tuple[int, str]:
        source = HeadsSource(
            told.kafka_bootstrap_servers, told.heads_topic if on_topic else None, file, VerifyKeys.of_pem(PUBLIC)
        )
        capsys.readouterr()
        async with heads.pool.acquire() as connection:
            asked = source if on_topic or file is not None else None
            code = await verify_log(connection, told.kafka_bootstrap_servers, topics, asked, as_json=as_json)
        out = capsys.readouterr().out
        return code, out if as_json else " ".join(out.split())

    return run


async def test_a_head_is_signed_where_the_log_has_moved_and_names_the_one_before_it(heads: Heads) -> None:
    signer = heads.process()
    assert await signer.run_once() is None  # an empty log has no head
    await heads.happened(2)
    first = await signer.run_once()
    assert first is not None
    assert await signer.run_once() is None
    await heads.happened()
    second = await signer.run_once()
    assert second is not None
    assert (first.position, first.counts, first.previous) == (2, {"org": 2}, None)
    assert (second.position, second.counts, second.previous) == (3, {"org": 3}, digest_of(first))
    assert (await heads.on_topic()).heads == (first, second)
    assert SigningKey(PRIVATE).verifies.signed(second)
    assert await heads.pool.fetchval("SELECT position FROM cursors WHERE name = 'log-heads'") == 3


async def test_one_process_signs_and_the_next_goes_on_from_the_topic(heads: Heads) -> None:
    leader, other = heads.process(), heads.process()
    await heads.happened()
    first = await leader.run_once()
    assert first is not None
    assert await other.run_once() is None
    await heads.happened()
    await heads.died(leader)
    second = await other.run_once()
    assert second is not None
    assert second.previous == digest_of(first)


async def test_a_process_that_dies_after_sending_is_followed_by_one_that_finds_its_head(heads: Heads) -> None:
    await heads.happened()
    dying = heads.process()
    head = await dying.run_once()
    await heads.pool.execute("DELETE FROM cursors")  # it died before it noted that
    await heads.died(dying)
    assert await heads.process().run_once() is None
    assert (await heads.on_topic()).heads == (head,)
    assert await heads.pool.fetchval("SELECT position FROM cursors WHERE name = 'log-heads'") == 1


async def test_who_has_lost_its_session_goes_on_from_what_another_has_signed_meanwhile(
    heads: Heads, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    slept, other = heads.process(), heads.process()
    await heads.happened()
    await slept.run_once()
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tool-sync heads'"
        " AND datname = current_database()"
    )
    await heads.happened()
    second = await eventually(other.run_once)  # once the lock has gone with the session
    await heads.happened()
    assert await slept.run_once() is None  # the other leads
    await heads.died(other)
    third = await slept.run_once()
    assert third is not None
    assert (third.position, third.previous) == (3, digest_of(second))


async def test_two_that_sign_at_once_make_heads_that_both_count(heads: Heads) -> None:
    first, second = heads.process(), heads.process()
    await heads.happened()
    await first.run_once()
    # The second is in the middle of a round that began before the first had the lock.
    await heads.happened()
    a, b = await first.run_once(), await second._sign()
    assert a is not None
    assert b is None  # it reads the topic first
    await heads.happened()
    second._last, second._is_read = (await heads.on_topic()).heads[0], True  # or had read it before
    await first.run_once()
    await second._sign()
    async with heads.pool.acquire() as connection:
        verified = await verify_events(connection, lambda _done, _total: None)
        compared = await compare(connection, await heads.on_topic(), SigningKey(PRIVATE).verifies, verified)
    assert (compared.heads, compared.findings, compared.proved_through) == (4, (), 3)


async def test_kafka_that_is_away_holds_nothing_up_and_is_an_alarm_after_ten_minutes(heads: Heads) -> None:
    signer = heads.process(kafka_bootstrap_servers="127.0.0.1:9")
    await heads.happened()
    with capture_logs() as said:
        for heads.seconds in (0.0, 599.0, 600.0, 660.0):
            with pytest.raises(KafkaUnavailable):
                await signer.run_once()
            await heads.happened()
    assert [(line["event"], line["alarm"]) for line in said if line["log_level"] == "error"] == [
        ("Heads of the log are not sent", True)
    ]
    assert signer.problem is not None
    back = heads.process()
    head = await back.run_once()
    assert (head and head.position, back.problem) == (5, None)


async def test_a_topic_that_is_missing_is_said(heads: Heads) -> None:
    await heads.happened()
    with pytest.raises(TopicMissing, match=r"heads\.nowhere"):
        await heads.process(heads_topic="heads.nowhere").run_once()


async def test_nothing_is_signed_on_top_of_a_log_that_was_changed(
    heads: Heads, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await heads.happened(3)
    await heads.process().run_once()
    await admin.execute("ALTER TABLE events DISABLE TRIGGER USER; DELETE FROM events WHERE position = 3")
    with capture_logs() as said, pytest.raises(HeadRefused, match=r"position 3 was signed .* and the log ends at 2"):
        await heads.signers[0].run_once()
    assert [line["alarm"] for line in said if line["log_level"] == "error"] == [True]  # at once
    await heads.happened()
    with pytest.raises(HeadRefused, match="has another hash there"):  # what it had read is forgotten, the topic is not
        await heads.signers[0].run_once()
    assert len((await heads.on_topic()).heads) == 1


async def test_a_strangers_head_is_no_head(heads: Heads) -> None:
    await heads.happened()
    stranger = heads.process(STRANGER)
    await stranger.run_once()
    await heads.died(stranger)
    head = await heads.process().run_once()
    assert head is not None
    assert head.previous is None


async def test_it_is_said_what_is_proved_and_what_is_not(heads: Heads, verify: Callable[..., Any]) -> None:
    code, out = await verify()
    assert (code, "no head is of this log" in out) == (0, True)  # of an empty log there is nothing to prove
    await heads.happened(2)
    assert (await verify())[0] == 1
    await heads.process().run_once()
    await heads.happened()
    code, out = await verify()
    assert code == 0
    assert "proved: events 1 to 2 are as signed at 2026-11-30 03:12:00 UTC" in out
    assert "not proved: 1 newer event is not covered by such a head" in out
    code, out = await verify(as_json=True)
    assert (code, result(out)["heads"]["proved_through"], result(out)["ok"]) == (0, 2, True)
    assert not json.loads(out)["complete"]


async def test_a_log_that_was_set_back_is_named_by_the_topic_and_by_heads_that_were_kept_aside(
    heads: Heads, verify: Callable[..., Any], admin: "asyncpg.Connection[asyncpg.Record]", tmp_path: Path
) -> None:
    await heads.happened(3)
    await heads.process().run_once()
    kept = tmp_path / "kept.jsonl"
    kept.write_text("".join(f"{head.model_dump_json()}\n" for head in (await heads.on_topic()).heads))
    await admin.execute("ALTER TABLE events DISABLE TRIGGER USER; DELETE FROM events WHERE position > 1")
    await admin.execute("DELETE FROM cursors")
    assert (await verify(on_topic=False))[0] == 0  # without heads it cannot be seen
    for code, out in (await verify(), await verify(kept, on_topic=False), await verify(kept)):
        assert (code, "the log was set back: 3 events were signed" in out) == (1, True), out


async def test_the_commands_keep_heads_aside_and_compare_them(heads: Heads, tmp_path: Path) -> None:
    url, env = heads.settings.database_url, {
        "KAFKA_BOOTSTRAP_SERVERS": heads.settings.kafka_bootstrap_servers,
        "OUTCOMES_TOPIC": heads.settings.outcomes_topic,
        "FLEET_TOPIC": heads.settings.fleet_topic,
        "HEADS_TOPIC": heads.settings.heads_topic,
    }  # fmt: skip
    await heads.happened(3)
    await heads.process().run_once()
    code, kept, _ = await command("log", "heads", database_url=url, **env)
    assert code == 0
    (tmp_path / "kept.jsonl").write_text(kept)
    (tmp_path / "public.pem").write_text(PUBLIC)
    asked = ("log", "verify", "--heads", "--heads-file", str(tmp_path / "kept.jsonl"))
    code, out, err = await command(*asked, database_url=url, LOG_VERIFY_KEYS=str(tmp_path / "public.pem"), **env)
    assert (code, "proved: events 1 to 3 are as signed" in out) == (0, True), (out, err)
    code, _, err = await command(*asked, database_url=url, **env)
    assert (code, "LOG_VERIFY_KEYS" in err) == (2, True)


async def test_after_a_fork_the_heads_of_the_log_before_tell_what_was_lost(
    heads: Heads, verify: Callable[..., Any], admin: "asyncpg.Connection[asyncpg.Record]", pool: db.Pool
) -> None:
    key, last = SigningKey(PRIVATE), list[LogHead]()
    signer = heads.process()
    for _ in range(3):
        await heads.happened(2)
        last.append(await signer.run_once())  # type: ignore[arg-type]
    await heads.died(signer)
    await admin.execute("ALTER TABLE events DISABLE TRIGGER USER; DELETE FROM events WHERE position > 4")  # a backup
    await admin.execute("UPDATE log SET forked_from = log_id, log_id = gen_random_uuid(), forked_at = now()")
    heads.log_id = await admin.fetchval("SELECT log_id FROM log")
    await heads.happened(3)
    head = await heads.process().run_once()
    assert head is not None
    assert (head.previous, head.position, head.counts) == (None, 7, {"org": 7})
    assert (await sign_now(pool, key)).hash == head.hash
    code, out = await verify()
    assert code == 0, out
    assert "signed up to position 6" in out
    assert "events 1 to 4 are as signed then, those up to 6 were lost" in out


async def test_a_running_service_signs_heads_and_says_where_it_has_no_key(heads: Heads, tmp_path: Path) -> None:
    (tmp_path / "signing.pem").write_text(PRIVATE)
    told = {**heads.settings.model_dump(), "log_head_seconds": 0.2}
    async with running(Settings(**{**told, "log_signing_key_file": tmp_path / "signing.pem"})) as client:
        await until_ready(client)

        async def signed() -> bool:
            found = (await heads.on_topic()).heads
            return bool(found) and found[-1].position == await heads.pool.fetchval("SELECT max(position) FROM events")

        await eventually(signed)
        assert "log_heads" not in (await client.get("/readyz")).json().get("notes", {})
    async with running(Settings(**told)) as client:
        await until_ready(client)
        (note,) = (await client.get("/readyz")).json()["notes"]["log_heads"]
        assert note["problem"] == "LOG_SIGNING_KEY_FILE is not set"
