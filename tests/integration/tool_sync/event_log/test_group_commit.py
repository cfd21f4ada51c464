"""Rounds: a bad request stands alone, an unknown outcome is sent again, and nothing waits for ever."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest
from tests.support.eventually import eventually

from devstack.databases import DatabaseUrls
from tool_sync import db
from tool_sync.domain.events import OrgRegistered
from tool_sync.log import Appended, AppendRejected, Duplicate, EventLog, LogSettings, LogUnavailable
from tool_sync.log.group_commit import Answer

from .making import arrived, count, done, rows, waiting


class Wire:
    """The connection between a pool and the server, which can be cut."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self.cut_next_answer = False
        self.down = False
        self._pipes: set[asyncio.Task[None]] = set()

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carries bytes both ways until one side ends."""
        if self.down:
            writer.close()
            return
        server_reader, server_writer = await asyncio.open_connection(*self._target)
        both = (asyncio.create_task(self._pipe(reader, server_writer, from_server=False)),
                asyncio.create_task(self._pipe(server_reader, writer, from_server=True)))  # fmt: skip
        self._pipes.update(both)
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for end in (server_writer, writer):
            end.close()
        await asyncio.wait(both)
        self._pipes.difference_update(both)

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, from_server: bool) -> None:
        try:
            while data := await reader.read(65_536):
                if from_server and (self.cut_next_answer or self.down):
                    self.cut_next_answer = False
                    return
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            return


@pytest.fixture
async def wire(tool_sync_db: DatabaseUrls) -> AsyncIterator[tuple[Wire, str]]:
    """A wire to the test's database, and the service's address through it."""
    parts = urlsplit(tool_sync_db.service)
    wire = Wire(str(parts.hostname), parts.port or 5432)
    server = await asyncio.start_server(wire.connect, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield wire, urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}"))
    server.close()


async def test_bad_requests_fail_alone_wherever_they_stand(
    log: EventLog, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    stored, org_id = uuid4(), uuid4()
    await log.append(arrived(org_id, ids=(stored,)))
    bad = {
        0: (arrived(uuid4(), OrgRegistered("\x00")), "22P05"),
        7: (done(org_id, ids=(stored,)), "ZT001"),
        8: (arrived(uuid4(), OrgRegistered("x" * 70_000)), "23514"),
        30: (arrived(uuid4(), OrgRegistered("\ud800")), None),
        49: (arrived(uuid4(), OrgRegistered("\x00")), "22P05"),
    }
    requests = [bad[n][0] if n in bad else arrived(uuid4()) for n in range(50)]
    answers = await log.append_all(requests)
    refused = {n: answer.sqlstate for n, answer in enumerate(answers) if isinstance(answer, AppendRejected)}
    assert refused == {n: sqlstate for n, (_, sqlstate) in bad.items()}
    assert [a.first_position for a in answers if isinstance(a, Appended)] == list(range(2, 47))
    assert {n for n, answer in enumerate(answers) if isinstance(answer, AppendRejected) and answer.is_poison} == {
        0,
        30,
        49,
    }
    assert await count(admin, "events") == 46


async def test_an_append_whose_data_is_refused_raises(log: EventLog) -> None:
    with pytest.raises(AppendRejected) as refused:
        await log.append(arrived(uuid4(), OrgRegistered("\x00")))
    assert refused.value.is_poison


async def test_a_raising_fold_stops_only_the_event_that_it_raises_for(
    log: EventLog, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await admin.execute("ALTER TABLE organizations ADD CHECK (tier <> 'broken')")
    answers = await log.append_all([arrived(uuid4(), OrgRegistered(tier)) for tier in ("a", "broken", "c")])
    assert [type(answer) for answer in answers] == [Appended, AppendRejected, Appended]
    assert [row["tier"] for row in await rows(admin, "SELECT tier FROM organizations ORDER BY tier")] == ["a", "c"]
    assert await count(admin, "events") == 2


async def test_a_lost_answer_is_asked_for_again_and_never_stored_twice(
    wire: tuple[Wire, str], admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    cable, address = wire
    async with running(address) as log:
        await log.append(arrived(uuid4()))
        cable.cut_next_answer = True
        answer = await log.append(arrived(uuid4()))
        assert isinstance(answer, Duplicate)  # stored, then lost: only the second answer arrived
        assert answer.first_position == 2
        assert isinstance(await log.append(arrived(uuid4())), Appended)
    assert await count(admin, "events") == 3


async def test_an_append_survives_the_death_of_its_backend(
    log: EventLog, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await admin.execute("SELECT pg_advisory_lock(7311)")
    appending = asyncio.create_task(log.append(arrived(uuid4())))
    end_waiting = """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                     WHERE datname = current_database() AND wait_event = 'advisory'"""
    await eventually(lambda: admin.fetchval(end_waiting))
    await admin.execute("SELECT pg_advisory_unlock(7311)")
    assert isinstance(await appending, Appended)


async def test_while_the_database_is_away_appends_wait_and_then_say_so(wire: tuple[Wire, str]) -> None:
    cable, address = wire
    async with running(address, LogSettings(append_seconds_max=0.5, retry_seconds=0.05)) as log:
        cable.down = True
        with pytest.raises(LogUnavailable):
            await log.append(arrived(uuid4()))
        with pytest.raises(LogUnavailable):
            await log.append_all([arrived(uuid4()), arrived(uuid4())])
        cable.down = False
        assert isinstance(await log.append(arrived(uuid4())), Appended)


async def test_a_cancelled_append_that_was_not_sent_yet_is_not_stored(pool: db.Pool) -> None:
    log = EventLog(pool)
    cancelled = asyncio.create_task(log.append(arrived(uuid4())))
    kept = asyncio.create_task(log.append(arrived(uuid4())))
    await waiting(log, 2)
    cancelled.cancel()
    await asyncio.wait([cancelled])
    assert await log.run_once()
    assert isinstance(await kept, Appended)
    assert (await log.read(0, 10)).head == 1
    assert not await log.run_once()


async def test_a_full_queue_makes_the_next_append_wait(pool: db.Pool) -> None:
    log = EventLog(pool, LogSettings(queue_requests_max=3, round_requests_max=2))
    requests = [arrived(uuid4()) for _ in range(5)]
    appending: asyncio.Task[list[Answer]] = asyncio.create_task(log.append_all(requests))
    await waiting(log, 3)
    rounds = 0
    while not appending.done():
        rounds += await log.run_once()
        await asyncio.sleep(0)
    assert [answer.first_position for answer in appending.result() if isinstance(answer, Appended)] == [1, 2, 3, 4, 5]
    assert rounds >= 3


async def test_stopping_answers_what_waits_and_refuses_what_comes_later(pool: db.Pool) -> None:
    log = EventLog(pool)
    requests = [arrived(uuid4()) for _ in range(3)]
    appending: asyncio.Task[list[Answer]] = asyncio.create_task(log.append_all(requests))
    await waiting(log, 3)
    log.stop()
    await log.run_forever()
    assert all(isinstance(answer, Appended) for answer in await appending)
    with pytest.raises(LogUnavailable, match="stopping"):
        await log.append(arrived(uuid4()))


async def test_the_wake_up_names_the_newest_position_of_each_round_that_stored_something(pool: db.Pool) -> None:
    heads: list[int] = []
    log = EventLog(pool, on_append=heads.append)
    request = arrived(uuid4(), OrgRegistered("a"), OrgRegistered("b"))
    for requests in ([request, arrived(uuid4())], [request]):
        appending = asyncio.create_task(log.append_all(requests))
        await eventually(log.run_once)
        await appending
    assert heads == [3]


@asynccontextmanager
async def running(address: str, settings: LogSettings | None = None) -> AsyncIterator[EventLog]:
    """A log with a pool of its own, for as long as the block lasts."""
    pool = await db.SESSIONS.pool(address, size_max=1)
    log = EventLog(pool, settings)
    task = asyncio.create_task(log.run_forever())
    yield log
    log.stop()
    await task
    pool.terminate()
