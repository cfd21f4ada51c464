"""Brings the database to this release's schema with dbmate; safe to run from several places at once."""

import asyncio
import sysconfig
from importlib.resources import as_file, files
from pathlib import Path

import asyncpg

LOCK = 7310
"""Advisory lock key of a migration. ``append`` takes 7311."""

LOCK_WAIT_SECONDS = 300.0


class MigrationFailed(Exception):
    """dbmate ended with ``status``; its own words are in the message."""

    def __init__(self, status: int, output: str) -> None:
        super().__init__(f"dbmate ended with status {status}: {output.strip()}")
        self.status = status


async def migrate(database_url: str) -> None:
    """Applies every migration that the database lacks; returns at once where there is none.

    ``database_url`` names the owner of the database, which needs CREATEROLE for the very first run. A second caller
    waits for the first, at most 5 minutes (``TimeoutError``). Raises `MigrationFailed` (each file is one transaction,
    so nothing is half done), or `asyncpg.PostgresError` or ``OSError`` if the database cannot be reached.
    """
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK, timeout=LOCK_WAIT_SECONDS)
        await _run_dbmate(database_url)
    finally:
        await connection.close()  # ends the session, and the lock with it


async def _run_dbmate(database_url: str) -> None:
    with as_file(files("tool_sync") / "migrations") as directory:
        process = await asyncio.create_subprocess_exec(
            _dbmate(),
            "--no-dump-schema",
            "--migrations-dir",
            str(directory),
            "migrate",
            env={"DATABASE_URL": database_url},  # not an argument: arguments are visible to every user
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
    if process.returncode:
        raise MigrationFailed(process.returncode, output.decode("utf-8", "replace"))


def _dbmate() -> Path:
    return Path(sysconfig.get_path("scripts")) / "dbmate"
