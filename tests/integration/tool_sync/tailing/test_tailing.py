"""A reader at the end of the log, under six writers in two processes, sees exactly 1..N once and in order.

Also over a PostgreSQL that is killed in the middle, and after its database was dumped and restored into a new cluster.
"""

import asyncio
import sys
from pathlib import Path
from uuid import UUID

import asyncpg

from devstack import databases, postgres
from tool_sync import db
from tool_sync.log import read, verify

from .own_server import folder as folder
from .own_server import killed_and_started, server_in, service_url

APPENDS = 300
EVENTS = 6 * 2 * APPENDS
"""Of six writers that append one, two, three, one, two … events."""


async def writer(url: str) -> asyncio.subprocess.Process:
    """Three writers in a process of their own."""
    return await asyncio.create_subprocess_exec(
        sys.executable, str(Path(__file__).with_name("writer.py")), url, "3", str(APPENDS),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def acknowledged(process: asyncio.subprocess.Process) -> set[UUID]:
    """The ids that a process was told are in the log, when it has ended."""
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()[-2000:]
    return {UUID(line) for line in output.decode().split()}


async def ends_well(process: asyncio.subprocess.Process) -> None:
    """Raises at once where a writer dies: the reader would wait for its events for ever."""
    status = await process.wait()
    assert status == 0, process.stderr and (await process.stderr.read()).decode()[-3000:]


class Reader:
    """Reads on from its cursor for ever; every event must be the one after the last."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.cursor = 0
        self.ids: list[UUID] = []
        self.lost_connections = 0
        self._read_on = asyncio.Condition()

    async def past(self, position: int) -> None:
        """Return as soon as it has read so far."""
        async with self._read_on:
            await self._read_on.wait_for(lambda: self.cursor >= position)

    async def read_to(self, head: int) -> None:
        """Read until the cursor is there, over any number of lost connections."""
        while self.cursor < head:
            try:
                connection = await db.SESSIONS.connect(self._url, application_name="tailing reader")
                try:
                    await self._read(connection, head)
                finally:
                    connection.terminate()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
                self.lost_connections += 1
                await asyncio.sleep(
                    0.05
                )  # between two tries to connect, as the server itself tells nobody that it is back

    async def _read(self, connection: db.Connection, head: int) -> None:
        while self.cursor < head:
            page = await read.read(connection, self.cursor, 50)
            for event in page.events:
                assert event.position == self.cursor + 1, f"{event.position} came after {self.cursor}"
                self.cursor = event.position
                self.ids.append(event.event_id)
            async with self._read_on:
                self._read_on.notify_all()


async def check(url: str, reader: Reader, written: set[UUID]) -> None:
    """Everything that was acknowledged was seen, once, and the log holds together."""
    assert len(set(reader.ids)) == len(reader.ids)
    assert written <= set(reader.ids)
    connection = await db.SESSIONS.connect(url, application_name="check")
    try:
        found = await verify.verify(connection, lambda _done, _total: None)
    finally:
        await connection.close()
    assert found == verify.LogVerified(reader.cursor, ())


async def test_a_reader_under_six_writers_sees_every_position_once_and_in_order(folder: Path) -> None:
    async with server_in(folder) as server:
        await databases.migrate("tool_sync", databases.urls(server.admin_url, "tool_sync").owner)
        url = service_url(server)
        reader = Reader(url)
        writers = [await writer(url) for _ in range(2)]
        async with asyncio.timeout(90):
            await reader.read_to(EVENTS)
            written = set().union(*[await acknowledged(process) for process in writers])
        assert len(written) == EVENTS
        await check(url, reader, written)
        assert (reader.cursor, reader.lost_connections) == (EVENTS, 0)


async def test_over_a_killed_postgresql_nothing_acknowledged_is_lost_or_seen_twice(folder: Path) -> None:
    server = await postgres.start(folder / "data", fsync=False)
    try:
        await databases.bootstrap(server.admin_url)
        await databases.migrate("tool_sync", databases.urls(server.admin_url, "tool_sync").owner)
        url = service_url(server)
        reader = Reader(url)
        writers = [await writer(url) for _ in range(2)]
        async with asyncio.timeout(100):
            async with asyncio.TaskGroup() as group:
                group.create_task(reader.read_to(EVENTS))
                for process in writers:
                    group.create_task(ends_well(process))
                for kill_at in (EVENTS // 5, EVENTS // 2):
                    await reader.past(kill_at)
                    server = await killed_and_started(server, folder)
            written = set().union(*[await acknowledged(process) for process in writers])
        assert len(written) == EVENTS
        await check(url, reader, written)
        assert reader.lost_connections > 0
    finally:
        await server.stop()


async def run(program: str, *arguments: str) -> bytes:
    """A program of PostgreSQL's; returns what it printed."""
    process = await asyncio.create_subprocess_exec(
        str(postgres._binaries() / program), *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return output


async def test_a_reader_goes_on_from_its_cursor_after_dump_and_restore_into_a_new_cluster(folder: Path) -> None:
    (folder / "old").mkdir(mode=0o755)
    (folder / "new").mkdir(mode=0o755)
    for path in (folder, folder / "old", folder / "new"):
        path.chmod(0o755)
    dump = str(folder / "dump")
    async with server_in(folder / "old") as old, asyncio.timeout(100):
        await databases.migrate("tool_sync", databases.urls(old.admin_url, "tool_sync").owner)
        reader = Reader(service_url(old))
        written = await acknowledged(await writer(service_url(old)))
        await reader.read_to(EVENTS // 2)
        roles = await run("pg_dumpall", "--roles-only", "-d", old.admin_url)
        await run("pg_dump", "-Fc", "-f", dump, databases.urls(old.admin_url, "tool_sync").admin)
    new = await postgres.start(folder / "new" / "data", fsync=False)
    try:
        (folder / "roles.sql").write_bytes(b"\n".join(
            line for line in roles.splitlines() if b"ROLE postgres" not in line and not line.startswith(b"\\")
        ))  # fmt: skip
        await run("psql", "-v", "ON_ERROR_STOP=1", "-f", str(folder / "roles.sql"), new.admin_url)
        await run("pg_restore", "--exit-on-error", "--create", "-d", new.admin_url, dump)
        after = Reader(service_url(new))
        after.cursor, after.ids = reader.cursor, list(reader.ids)
        async with asyncio.timeout(90):
            more = await acknowledged(await writer(service_url(new)))
            await after.read_to(EVENTS)
        await check(service_url(new), after, written | more)
        assert after.ids[: len(reader.ids)] == reader.ids
    finally:
        await new.stop()
