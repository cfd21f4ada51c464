"""`archive_…`: a log of 1,000,000 events into Parquet files, and these verified without a database and beside the log.

The commands are run as people run them, in a process of their own, whose memory is looked at until it ends.
`ARCHIVE_EVENTS=10000000` measures a longer log.
"""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import asyncpg

from benchmarks import filled_log
from benchmarks.errors import NotMeasured
from benchmarks.figures import Say
from benchmarks.proc import peak_memory_mb
from benchmarks.rows import Row
from benchmarks.world import World, corner

EVENTS = int(os.environ.get("ARCHIVE_EVENTS", "1000000"))


class Ran(NamedTuple):
    """A command that has ended well."""

    events_per_second: float
    memory_mb: float


async def measure(world: World, rounds: int, say: Say) -> list[Row]:
    """The rows. Raises :class:`benchmarks.errors.NotMeasured`."""
    async with corner(world, "log-archive", migrated=True) as place:
        say(f"  writing a log of {EVENTS:,} events …")
        await filled_log.fill(place.database.admin, EVENTS)
        with tempfile.TemporaryDirectory(prefix="zerotouch-archive-") as data:
            folder, url = Path(data) / "archive", place.database.service
            wrote, by_itself, beside = [], [], []
            for _ in range(rounds):
                shutil.rmtree(folder, ignore_errors=True)
                wrote.append(await _ran(("archive",), folder, url, say))
                by_itself.append(await _ran(("verify-archive",), folder, "", say))
                beside.append(await _ran(("verify-archive",), folder, url, say))
            archived = sum(path.stat().st_size for path in folder.glob("*.parquet")) / EVENTS
        stored = await _stored_bytes(place.database.admin) / EVENTS
    return [
        Row("archive", "events/s", "higher", _rates(wrote)),
        Row("archive_memory_mb", "MB", "lower", _memory(wrote), goal="< 400"),
        Row("archive_verify", "events/s", "higher", _rates(by_itself)),
        Row("archive_verify_memory_mb", "MB", "lower", _memory(by_itself), goal="< 400"),
        Row("archive_verify_live", "events/s", "higher", _rates(beside)),
        Row("archive_bytes", "bytes/event", "lower", (archived,)),
        Row("events_bytes", "bytes/event", "lower", (stored,)),
    ]


def _rates(ran: Sequence[Ran]) -> tuple[float, ...]:
    return tuple(one.events_per_second for one in ran)


def _memory(ran: Sequence[Ran]) -> tuple[float, ...]:
    return tuple(one.memory_mb for one in ran)


async def _stored_bytes(admin_url: str) -> int:
    connection = await asyncpg.connect(admin_url)
    try:
        size: int = await connection.fetchval("SELECT pg_total_relation_size('events')")
    finally:
        await connection.close()
    return size


async def _ran(words: Sequence[str], folder: Path, url: str, say: Say) -> Ran:
    started, peak = time.perf_counter(), 0.0
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tool_sync", "log", *words, str(folder),
        env={"PATH": os.environ["PATH"], "DATABASE_URL": url},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    ending = asyncio.create_task(process.communicate())
    while not ending.done():
        try:
            peak = peak_memory_mb(process.pid)
        except (FileNotFoundError, ProcessLookupError, ValueError):
            break
        await asyncio.wait([ending], timeout=0.05)
    out, wrong = await ending
    seconds = time.perf_counter() - started
    if process.returncode != 0:
        raise NotMeasured(f"log {' '.join(words)} ended with {process.returncode}: {(out + wrong).decode()[-500:]}")
    say(f"  {words[0]}, {'with' if url else 'without'} a database: {EVENTS / seconds:,.0f} events/s, {peak:,.0f} MB")
    return Ran(EVENTS / seconds, peak)
