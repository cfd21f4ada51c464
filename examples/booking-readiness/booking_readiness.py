"""Which clinics can book: a subscriber of the outcomes, with a state of its own.

python -m booking_readiness rebuild topic|feed|snapshot
python -m booking_readiness follow [faststream]
python -m booking_readiness show
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, cast
from uuid import UUID

import asyncpg
import httpx
from faststream import FastStream
from faststream.kafka import KafkaBroker

from zerotouch_contracts.events import ToolsSynced, ToolSyncFailed
from zerotouch_contracts.subscriber import Delivered, Feed, Last, Marks, OutcomeReader, Rebuilding
from zerotouch_contracts.subscriber.faststream import follow_outcomes

GROUP: Final = "booking-readiness"
BOOKING: Final = "bookClinicAppointment"
SCHEMA: Final = Path(__file__).with_name("schema.sql")

UPSERT: Final = """
INSERT INTO readiness (org_id, agent_id, can_book)
SELECT DISTINCT ON (org_id, agent_id) org_id, agent_id, can_book
  FROM unnest($1::uuid[], $2::text[], $3::boolean[]) WITH ORDINALITY AS u (org_id, agent_id, can_book, n)
 ORDER BY org_id, agent_id, n DESC
ON CONFLICT (org_id, agent_id) DO UPDATE SET can_book = excluded.can_book
"""
MARK: Final = """
INSERT INTO marks (org_id, sequence, event_id) SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[])
ON CONFLICT (org_id) DO UPDATE SET sequence = excluded.sequence, event_id = excluded.event_id
"""
SOURCE: Final = """
INSERT INTO source (log_id, position) VALUES ($1, $2)
ON CONFLICT (single) DO UPDATE SET log_id = excluded.log_id, position = greatest(source.position, excluded.position)
"""


class Readiness:
    """The state. One transaction for each method."""

    def __init__(self, pool: "asyncpg.Pool[Any]") -> None:
        self._pool = pool

    async def prepare(self) -> None:
        """Make the tables where they are not there yet."""
        await self._pool.execute(SCHEMA.read_text(encoding="utf-8"))

    async def load(self) -> Marks:
        """See ``State.load``."""
        source = await self._pool.fetchrow("SELECT log_id, position FROM source")
        last = {row["org_id"]: Last(row["sequence"], row["event_id"]) for row in await self._pool.fetch("TABLE marks")}
        return Marks() if source is None else Marks(source["log_id"], last, source["position"])

    async def apply(self, batch: Sequence[Delivered], marks: Marks) -> None:
        """See ``State.apply``."""
        async with self._pool.acquire() as connection, connection.transaction():
            await self._store(cast("asyncpg.Connection[Any]", connection), [row for d in batch for row in _rows(d)])
            items = marks.last.items()
            columns = [o for o, _ in items], [m.sequence for _, m in items], [m.event_id for _, m in items]
            await connection.execute(MARK, *columns)
            await connection.execute(SOURCE, marks.log_id, marks.position)

    async def wipe(self) -> None:
        """See ``State.wipe``."""
        await self._pool.execute("TRUNCATE readiness, marks, source")

    async def store_snapshot(self, assistants: Sequence[Mapping[str, Any]]) -> None:
        """A page of ``GET /v1/assistants``."""
        rows = [
            (UUID(a["org_id"]), a["agent_id"], _can_book(a["tools"], a.get("failed_tools", ()))) for a in assistants
        ]
        async with self._pool.acquire() as connection:
            await self._store(cast("asyncpg.Connection[Any]", connection), rows)

    async def clinics_that_can_book(self) -> list[UUID]:
        """Clinics with an assistant that can."""
        rows = await self._pool.fetch("SELECT org_id FROM readiness WHERE can_book GROUP BY org_id ORDER BY org_id")
        return [row["org_id"] for row in rows]

    async def fingerprint(self) -> str:
        """A hash of all rows: two states are the same where it is."""
        rows = await self._pool.fetch("SELECT org_id, agent_id, can_book FROM readiness ORDER BY org_id, agent_id")
        return sha256(repr([tuple(row) for row in rows]).encode()).hexdigest()

    async def _store(self, connection: "asyncpg.Connection[Any]", rows: Sequence[tuple[UUID, str, bool]]) -> None:
        await connection.execute(UPSERT, [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows])


def _can_book(tools: Iterable[Mapping[str, Any]], failed: Iterable[Mapping[str, Any]]) -> bool:
    return BOOKING in {tool["name"] for tool in tools} - {tool["name"] for tool in failed}  # linked is not yet usable


def _rows(delivered: Delivered) -> list[tuple[UUID, str, bool]]:
    match delivered.message:
        case ToolsSynced(agent_id=str(agent_id)) | ToolSyncFailed(agent_id=str(agent_id)) as outcome:
            tools, failed = ([tool.model_dump() for tool in each] for each in (outcome.tools, outcome.failed_tools))
            return [(delivered.org_id, agent_id, _can_book(tools, failed))]
        case _:  # an unreadable save names no assistant, a divergence changes no tools
            return []


async def load_snapshot(state: Readiness, base_url: str, token: str) -> int:
    """Store ``GET /v1/assistants``, all pages; the position to go on from."""
    position: int | None = None
    after: str | None = ""
    async with httpx.AsyncClient(base_url=base_url, headers={"authorization": f"Bearer {token}"}) as http:
        while after is not None:
            response = await http.get("/v1/assistants", params={"after": after} if after else None)
            response.raise_for_status()
            page = response.json()
            await state.store_snapshot(page["assistants"])
            # Later pages are newer; what happened in between comes again from the feed, and outcomes are whole.
            position = page["as_of_position"] if position is None else position
            after = page["next_after"]
    assert position is not None
    return position


def application(bootstrap_servers: str, group_id: str, state: Readiness, feed: Feed) -> FastStream:
    """The same as a FastStream application, beside whatever else it subscribes to."""
    broker = KafkaBroker(bootstrap_servers)
    follow_outcomes(broker, group_id, state=state, feed=feed)
    return FastStream(broker)


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[Readiness, Feed]]:
    """The state and tool-sync's feed, from the environment."""
    environment = os.environ
    pool = await asyncpg.create_pool(environment["DATABASE_URL"], min_size=1, max_size=4)
    state = Readiness(pool)
    try:
        await state.prepare()
        async with Feed(environment["TOOL_SYNC_URL"], lambda: environment["TOOL_SYNC_TOKEN"]) as feed:
            yield state, feed
    finally:
        await pool.close()


def _reader(state: Readiness, feed: Feed) -> OutcomeReader:
    return OutcomeReader(os.environ["KAFKA_BOOTSTRAP_SERVERS"], GROUP, state=state, feed=feed)


def _show_progress(progress: Rebuilding) -> None:
    print(f"\r{progress.done:,} of {progress.total:,}", end="", file=sys.stderr, flush=True)


async def _rebuild(way: str) -> None:
    async with opened() as (state, feed):
        reader = _reader(state, feed)
        if way == "topic":
            await reader.rebuild_from_topic(_show_progress)
        elif way == "feed":
            await reader.rebuild_from_feed(_show_progress)
        else:
            url, token = os.environ["TOOL_SYNC_URL"], os.environ["TOOL_SYNC_TOKEN"]
            await reader.rebuild_from_snapshot(lambda: load_snapshot(state, url, token), _show_progress)
        print(f"\nrebuilt from the {way}: {await state.fingerprint()}")


async def _follow() -> None:
    async with opened() as (state, feed):
        reader, loop = _reader(state, feed), asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, lambda: loop.create_task(reader.stop()))
        await reader.run_forever()


async def _follow_in_faststream() -> None:
    async with opened() as (state, feed):
        await application(os.environ["KAFKA_BOOTSTRAP_SERVERS"], GROUP, state, feed).run()


async def _show() -> None:
    async with opened() as (state, _):
        clinics = await state.clinics_that_can_book()
        print(*clinics, sep="\n")
        print(f"{len(clinics)} clinics can book; {await state.fingerprint()}")


def main(arguments: Sequence[str]) -> int:
    """The command; returns the exit status."""
    match list(arguments):
        case ["rebuild", ("topic" | "feed" | "snapshot") as way]:
            asyncio.run(_rebuild(way))
        case ["follow"]:
            asyncio.run(_follow())
        case ["follow", "faststream"]:
            asyncio.run(_follow_in_faststream())
        case ["show"]:
            asyncio.run(_show())
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
