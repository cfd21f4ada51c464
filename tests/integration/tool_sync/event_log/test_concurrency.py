"""Several processes at once: no position is ever missed, and nobody holds up the others."""

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest
from tests.support.eventually import eventually

from devstack.databases import DatabaseUrls
from tool_sync import db
from tool_sync.log import Appended, EventLog
from tool_sync.log.statement import APPEND, encode

from .limits import LIMITS
from .making import arrived, count, done, rows

WRITERS = 6
APPENDS = 40


@pytest.fixture
async def other_log(tool_sync_db: DatabaseUrls) -> AsyncIterator[EventLog]:
    """The log of another process: a pool and a queue of its own."""
    pool = await db.SESSIONS.pool(tool_sync_db.service, size_max=4)
    log = EventLog(pool, LIMITS)
    running = asyncio.create_task(log.run_forever())
    yield log
    log.stop()
    await running
    await pool.close()


async def test_a_tailing_reader_sees_every_position_once_and_in_order(
    log: EventLog, other_log: EventLog, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    orgs = [uuid4() for _ in range(3)]
    total = 2 * WRITERS * APPENDS

    async def write(log: EventLog, n: int) -> list[Appended]:
        answers = [await log.append(arrived(orgs[(n + i) % 3])) for i in range(APPENDS)]
        return [answer for answer in answers if isinstance(answer, Appended)]

    async def tail() -> list[int]:
        seen: list[int] = []
        while len(seen) < total:
            page = await log.read(seen[-1] if seen else 0, 50)
            seen += [event.position for event in page.events]
            assert page.head >= len(seen)
        return seen

    async with asyncio.timeout(60):
        writers = [write(one, n) for one in (log, other_log) for n in range(WRITERS)]
        seen, written = await asyncio.gather(tail(), asyncio.gather(*writers))
    assert seen == list(range(1, total + 1))
    assert sorted(answer.first_position for answers in written for answer in answers) == seen  # success means stored
    versions = await rows(admin, "SELECT stream, array_agg(version ORDER BY position) AS v FROM events GROUP BY stream")
    assert all(row["v"] == list(range(1, len(row["v"]) + 1)) for row in versions)


async def test_appends_at_one_version_from_two_processes_have_one_winner(log: EventLog, other_log: EventLog) -> None:
    org_id = uuid4()
    for version in range(10):
        answers = await asyncio.gather(*(one.append(done(org_id, expected=version)) for one in (log, other_log)))
        assert sum(isinstance(answer, Appended) for answer in answers) == 1


async def test_a_client_that_idles_after_an_append_in_a_transaction_is_cut_off(
    log: EventLog, service: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    transaction = service.transaction()
    await transaction.start()
    await service.fetch(APPEND, *arguments())
    started = time.monotonic()
    answer = await log.append(arrived(uuid4()))
    assert isinstance(answer, Appended)
    assert answer.first_position == 1  # what the idle client wrote was rolled back
    assert time.monotonic() - started < 5
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await service.fetchval("SELECT 1")


@pytest.mark.parametrize("how", ["pg_cancel_backend", "pg_terminate_backend"])
async def test_a_client_stopped_while_it_waits_for_the_lock_leaves_nothing_behind(
    log: EventLog, service: "asyncpg.Connection[asyncpg.Record]", admin: "asyncpg.Connection[asyncpg.Record]", how: str
) -> None:
    await admin.execute("SELECT pg_advisory_lock(7311)")
    waiting = asyncio.create_task(service.fetch(APPEND, *arguments()))
    process_id = service.get_server_pid()
    await eventually(lambda: waits_for_lock(admin, process_id))
    await admin.execute(f"SELECT {how}($1)", process_id)
    with pytest.raises(asyncpg.PostgresError):
        await waiting
    await admin.execute("SELECT pg_advisory_unlock(7311)")
    answer = await log.append(arrived(uuid4()))
    assert isinstance(answer, Appended)
    assert (answer.first_position, await count(admin, "events")) == (1, 1)


async def test_without_the_lock_a_race_ends_in_a_refused_write_and_never_in_a_hole(
    admin: "asyncpg.Connection[asyncpg.Record]", tool_sync_db: DatabaseUrls
) -> None:
    source: str = await admin.fetchval("SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = 'append'")
    await admin.execute(source.replace("PERFORM pg_advisory_xact_lock(7311);", ""))
    clients = [await asyncpg.connect(tool_sync_db.service) for _ in range(4)]

    async def write(client: "asyncpg.Connection[asyncpg.Record]") -> int:
        stored = 0
        for _ in range(50):
            try:
                await client.fetch(APPEND, *arguments())
                stored += 1
            except asyncpg.UniqueViolationError:
                continue
        return stored

    stored = sum(await asyncio.gather(*(write(client) for client in clients)))
    assert await admin.fetchval("SELECT max(position) FROM events") == await count(admin, "events") == stored
    for client in clients:
        await client.close()


def arguments() -> tuple[list[object], ...]:
    """Of one call of append with one request."""
    request = encode(arrived(uuid4()))
    (event,) = request.events
    return (
        [request.stream], [request.org_id], [None], [request.meta], [1],
        list(request.ids), [event.type_name], [event.schema], [event.data], [None],
    )  # fmt: skip


async def waits_for_lock(admin: "asyncpg.Connection[asyncpg.Record]", process_id: int) -> bool:
    """True once the backend waits for an advisory lock."""
    return bool(await admin.fetchval("SELECT wait_event = 'advisory' FROM pg_stat_activity WHERE pid = $1", process_id))
