"""`deploy/backup`: refused where it has to be, whole or not there where it is killed, and the same afterwards."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from devstack import databases, postgres
from devstack.databases import SERVICES, Service

FOLDER = Path(__file__).parents[2] / "deploy/backup"
RIGHTS = {
    "its rights": """SELECT pg_get_userbyid(datdba), datlocprovider, datlocale, pg_encoding_to_char(encoding),
        (SELECT array_agg(item::text ORDER BY item::text) FROM unnest(datacl) AS item)
        FROM pg_database WHERE datname = current_database()""",
    "its policies": """SELECT tablename, policyname, cmd, qual, with_check,
        (SELECT array_agg(role ORDER BY role) FROM unnest(roles) AS role) FROM pg_policies ORDER BY 1, 2""",
    "rights of its tables": """SELECT relname, pg_get_userbyid(relowner), relforcerowsecurity,
        (SELECT array_agg(item::text ORDER BY item::text) FROM unnest(relacl) AS item)
        FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1""",
}
PROGRAMS = ("psql", "pg_dump", "pg_dumpall", "pg_restore")
KEEPER, SECRET = "keeper", "quendel-4711"
"""Who backs up; the password must stand nowhere but in a file of its own."""
_SHIM = """#!/bin/sh
n=1
until mkdir {count}/$n 2> /dev/null; do n=$((n + 1)); done  # those of a pipeline begin at once
[ "$n" != "{at}" ] || kill -KILL 0
exec {program} "$@"
"""
"""Instead of PostgreSQL's programs: at the given call of any of them everything is killed, as a node that dies does."""

pytestmark = pytest.mark.timeout(120)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a script ended."""

    status: int
    said: str


@dataclass
class Operator:
    """Somebody with a shell, and a server of their own."""

    admin_url: str
    port: int
    folder: Path

    def runs(self, script: str, *words: str, kill_at: int | None = None, **variables: str) -> Ended:
        """Run one of the scripts, killed with all that it has started at a call of PostgreSQL's programs."""
        programs = self._programs(kill_at)
        env = {
            "PATH": os.pathsep.join((str(programs), os.environ["PATH"])),
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGUSER": KEEPER,
            "PGPASSFILE": str(self.folder / "pgpass"),
            "PGSSLMODE": "disable",
            **variables,
        }
        done = subprocess.run(
            ["sh", str(FOLDER / script), *words], env=env, cwd=self.folder, start_new_session=True, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert SECRET not in done.stdout
        return Ended(done.returncode, done.stdout)

    @property
    def calls(self) -> int:
        """Of PostgreSQL's programs, in the newest run."""
        return len(list((self.folder / "calls").iterdir()))

    def _programs(self, kill_at: int | None) -> Path:
        folder, count = self.folder / "programs", self.folder / "calls"
        folder.mkdir(exist_ok=True)
        shutil.rmtree(count, ignore_errors=True)
        count.mkdir()
        for name in PROGRAMS:
            shim = _SHIM.format(count=count, at=kill_at, program=postgres._binaries() / name)
            (folder / name).write_text(shim)
            (folder / name).chmod(0o755)
        return folder

    async def names(self) -> set[str]:
        """Every database of the server."""
        connection = await asyncpg.connect(self.admin_url)
        try:
            rows = await connection.fetch("SELECT datname FROM pg_database WHERE NOT datistemplate")
            return {row["datname"] for row in rows} - {"postgres"}
        finally:
            await connection.close()

    async def drops(self, *names: str) -> None:
        """Lose databases."""
        connection = await asyncpg.connect(self.admin_url)
        try:
            for name in names:
                await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        finally:
            await connection.close()

    async def holds(self, service: Service) -> dict[str, object]:
        """All rows of a database by table, and its rights; its own role can connect to it."""
        connection = await asyncpg.connect(databases.urls(self.admin_url, service).admin)
        try:
            tables = await connection.fetch("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'")
            queries = {
                name: f'SELECT to_jsonb(t)::text FROM "{name}" t ORDER BY 1'  # noqa: S608
                for name in (table["name"] for table in tables)
            } | RIGHTS
            found = {name: await connection.fetch(query) for name, query in queries.items()}
        finally:
            await connection.close()
        login = await asyncpg.connect(databases.urls(self.admin_url, service).service)
        await login.close()
        return {name: [tuple(row) for row in rows] for name, rows in found.items()}

    async def all(self) -> dict[str, object]:
        """What both databases hold, by database and table."""
        return {
            f"{service}: {name}": rows for service in SERVICES for name, rows in (await self.holds(service)).items()
        }

    def fresh(self) -> Path:
        """A name for a folder that is not there yet."""
        return self.folder / f"backup-{uuid4().hex[:8]}"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def operator() -> AsyncIterator[Operator]:
    """A server of the module's own, with both databases under their own names, and something in each."""
    with TemporaryDirectory(prefix="zerotouch-backup-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        server = await postgres.start(folder / "data", fsync=False)
        await databases.bootstrap(server.admin_url)
        for service in SERVICES:
            await databases.migrate(service, databases.urls(server.admin_url, service).owner)
        (folder / "pgpass").write_text(f"*:*:*:*:{SECRET}\n")
        (folder / "pgpass").chmod(0o600)
        it = Operator(server.admin_url, server.port, folder)
        await _fill(it)
        connection = await asyncpg.connect(server.admin_url)
        await connection.execute(f"CREATE ROLE {KEEPER} SUPERUSER LOGIN PASSWORD '{SECRET}'")
        await connection.close()
        yield it
        await server.stop()


async def _fill(it: Operator) -> None:
    connection = await asyncpg.connect(databases.urls(it.admin_url, "assistant_api").owner)
    try:
        org = await connection.fetchval("INSERT INTO organizations (name) VALUES ('Praxis Grün') RETURNING id")
        await connection.executemany(
            "INSERT INTO agents (id, org_id, name) VALUES ($1, $2, 'Front desk')", [(f"a-{n}", org) for n in range(50)]
        )
    finally:
        await connection.close()


def differing(before: dict[str, object], after: dict[str, object]) -> dict[str, object]:
    """What is not as it was."""
    names = before.keys() | after.keys()
    return {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}


@pytest.fixture(scope="module")
def backup(operator: Operator) -> Path:
    """One backup of both."""
    folder = operator.folder / "backup"
    ended = operator.runs("backup.sh", str(folder))
    assert ended.status == 0, ended.said
    return folder


def copied(backup: Path, folder: Path) -> Path:
    """Another folder with the same files."""
    return Path(shutil.copytree(backup, folder))


def summed(folder: Path) -> None:
    """Write the sums anew, as whoever changed a backup on purpose would."""
    sums = "sha256sum -- *.dump roles.sql manifest.json > SHA256SUMS"
    subprocess.run(["sh", "-c", sums], cwd=folder, check=True)


async def is_restored(operator: Operator, backup: Path) -> None:
    """Both databases are there as in the backup, and no other; the steps after that are left to somebody."""
    await operator.drops(*await operator.names())
    assert operator.runs("restore.sh", str(backup), "to begin with").status == 1
    assert await operator.names() == set(SERVICES)


async def test_both_databases_come_back_as_they_were(operator: Operator, backup: Path) -> None:
    before = await operator.all()
    await operator.drops(*SERVICES)
    ended = operator.runs("restore.sh", str(backup), "a disk was lost")
    assert ended.status == 1, "nobody has told it how the services are run"
    assert "LEFT TO YOU: tool-sync log fork --yes --reason a disk was lost" in ended.said
    assert "LEFT TO YOU: assistant-api erase verify --again --reason a disk was lost" in ended.said
    assert await operator.names() == set(SERVICES)
    assert differing(before, await operator.all()) == {}
    assert len(str(before["assistant_api: agents"]).split("Front desk")) == 51


def test_a_backup_has_no_password_and_is_its_owners_alone(backup: Path) -> None:
    assert {path.name for path in backup.iterdir()} == {
        "SHA256SUMS", "assistant_api.dump", "manifest.json", "roles.sql", "tool_sync.dump",
    }  # fmt: skip
    assert all(path.stat().st_mode & 0o077 == 0 for path in (backup, *backup.iterdir()))
    roles = (backup / "roles.sql").read_text()
    assert "CREATE ROLE tool_sync_owner;" in roles
    assert "PASSWORD" not in roles
    assert not {postgres.ADMIN, KEEPER} & set(roles.split())
    assert all(SECRET.encode() not in path.read_bytes() for path in backup.iterdir())


async def test_nothing_is_written_over_a_backup(operator: Operator, backup: Path) -> None:
    sums = (backup / "SHA256SUMS").read_bytes()
    assert operator.runs("backup.sh", str(backup)).status == 3
    assert (backup / "SHA256SUMS").read_bytes() == sums


async def test_nothing_is_restored_over_a_database_unless_it_is_named(operator: Operator, backup: Path) -> None:
    await is_restored(operator, backup)
    connection = await asyncpg.connect(databases.urls(operator.admin_url, "tool_sync").admin)
    await connection.execute("COMMENT ON DATABASE tool_sync IS NULL")  # as when a restore is done
    await connection.close()
    ended = operator.runs("restore.sh", str(backup), "again")
    assert ended.status == 3
    assert "tool_sync is there and not empty; REPLACE=tool_sync renames it and keeps it" in ended.said
    ended = operator.runs("restore.sh", str(backup), "again", REPLACE="tool_sync")
    assert ended.status == 1, ended.said
    kept = await operator.names() - set(SERVICES)
    assert len(kept) == 1
    assert kept.pop().startswith("tool_sync_before_")


async def test_a_database_that_somebody_works_on_keeps_its_name(operator: Operator, backup: Path) -> None:
    await is_restored(operator, backup)
    service = await asyncpg.connect(databases.urls(operator.admin_url, "tool_sync").service)
    try:
        ended = operator.runs("restore.sh", str(backup), "too early", REPLACE="assistant_api tool_sync")
    finally:
        await service.close()
    assert ended.status == 3, ended.said
    assert "is a service running?" in ended.said
    assert operator.runs("restore.sh", str(backup), "now", REPLACE="assistant_api tool_sync").status == 1


@pytest.mark.parametrize("name", ["tool_sync.dump", "assistant_api.dump", "roles.sql", "manifest.json", "SHA256SUMS"])
async def test_one_other_byte_is_refused(operator: Operator, backup: Path, name: str) -> None:
    damaged = copied(backup, operator.fresh())
    content = bytearray((damaged / name).read_bytes())
    content[len(content) // 2] ^= 1
    (damaged / name).write_bytes(content)
    before = await operator.names()
    ended = operator.runs("restore.sh", str(damaged), "damaged", REPLACE="assistant_api tool_sync")
    assert ended.status == 3, ended.said
    assert await operator.names() == before


def test_what_is_no_backup_or_anothers_is_refused(operator: Operator, backup: Path) -> None:
    stranger = operator.fresh()
    stranger.mkdir()
    assert operator.runs("restore.sh", str(stranger), "none").status == 3
    stranger = copied(backup, operator.fresh())
    manifest = (stranger / "manifest.json").read_text()
    (stranger / "manifest.json").write_text(manifest.replace('"format": 1', '"format": 2'))
    summed(stranger)
    assert "this release can read" in operator.runs("restore.sh", str(stranger), "newer").said
    ended = operator.runs("restore.sh", str(backup), "another's", INSTALLATION_ID=str(uuid4()))
    assert ended.status == 3
    assert "INSTALLATION_ID" in ended.said


async def test_one_of_the_two_is_restored_alone(operator: Operator, backup: Path) -> None:
    await is_restored(operator, backup)
    await operator.drops("tool_sync")
    ended = operator.runs("restore.sh", str(backup), "tool-sync's disk", DATABASES="tool_sync")
    assert ended.status == 1, ended.said
    assert "LEFT TO YOU: tool-sync log fork" in ended.said
    assert "assistant-api" not in ended.said.partition("LEFT TO YOU")[2].partition("restored;")[0]
    assert set(SERVICES) <= await operator.names()


async def test_it_ends_well_only_after_every_step_has(operator: Operator, backup: Path) -> None:
    await operator.drops(*await operator.names())
    ended = operator.runs("restore.sh", str(backup), "why", TOOL_SYNC="false", ASSISTANT_API="true")
    assert ended.status == 1
    assert "tool-sync migrate: status 1; put it right, and run this again" in ended.said
    ended = operator.runs("restore.sh", str(backup), "why", TOOL_SYNC="true", ASSISTANT_API="true")
    assert ended.status == 0, ended.said
    assert "tool_sync was restored from this backup already" in ended.said, "nothing is restored twice"
    ended = operator.runs("restore.sh", str(backup), "a week later", TOOL_SYNC="true", ASSISTANT_API="true")
    assert ended.status == 3, "it is done, and what has come since is not to be lost"


async def test_a_dump_that_is_not_what_the_manifest_says_takes_no_name(operator: Operator, backup: Path) -> None:
    await operator.drops(*await operator.names())
    other = copied(backup, operator.fresh())
    manifest = json.loads((other / "manifest.json").read_text())
    manifest["databases"]["tool_sync"]["rows"]["events"] += 1
    (other / "manifest.json").write_text(json.dumps(manifest))
    await asyncio.to_thread(summed, other)
    ended = operator.runs("restore.sh", str(other), "another's")
    assert ended.status == 1
    assert "tool_sync is not what the manifest says" in ended.said
    assert not await operator.names() & set(SERVICES)


def parts(calls: int) -> Iterator[int]:
    """Some of the calls at which all is killed, to the last."""
    yield from range(2, calls, 4)


async def test_a_backup_that_is_killed_is_not_there_and_is_made_the_next_time(operator: Operator, backup: Path) -> None:
    await is_restored(operator, backup)
    assert operator.runs("backup.sh", str(operator.fresh())).status == 0
    for at in range(1, operator.calls + 1):
        folder = operator.fresh()
        assert operator.runs("backup.sh", str(folder), kill_at=at).status == -signal.SIGKILL
        assert not folder.exists()
    ended = operator.runs("backup.sh", str(folder))
    assert ended.status == 0
    assert "is unfinished: of a backup that was killed" in ended.said
    assert folder.exists()


async def test_a_restore_that_is_killed_leaves_no_half_database_and_goes_on(operator: Operator, backup: Path) -> None:
    await is_restored(operator, backup)
    calls = operator.calls
    before = await operator.all()
    await operator.drops(*SERVICES)
    for at in parts(calls):
        assert operator.runs("restore.sh", str(backup), "killed", kill_at=at).status == -signal.SIGKILL
        there = await operator.names() & set(SERVICES)
        assert there in (set(), set(SERVICES)), "both take their names at once"
        ended = operator.runs("restore.sh", str(backup), "again")
        assert ended.status == 1, ended.said
        assert "LEFT TO YOU" in ended.said
        assert differing(before, await operator.all()) == {}
        assert await operator.names() == set(SERVICES)
        await operator.drops(*SERVICES)
