"""The hash chain, recomputed from the description alone."""

import hashlib
from datetime import UTC
from uuid import uuid4

import asyncpg

from tool_sync.domain.events import OrgRegistered
from tool_sync.log import EventLog

from .making import arrived, done, rows, save

READ = """
SELECT stream, version, event_id, type, schema, recorded_at, data::text AS data, meta::text AS meta, hash
FROM events ORDER BY stream, version
"""


def chained(row: dict[str, object], previous: bytes) -> bytes:
    """SHA-256 of the nine parts, each behind its length in four bytes, big endian."""
    recorded_at = row["recorded_at"].astimezone(UTC)  # type: ignore[attr-defined]
    texts = [
        row["stream"], row["version"], row["event_id"], row["type"], row["schema"],
        recorded_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), row["data"], row["meta"],
    ]  # fmt: skip
    parts = [previous, *(str(text).encode() for text in texts)]
    return hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()


async def test_every_hash_follows_from_the_one_before_it_in_the_stream(
    log: EventLog, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    a, b = uuid4(), uuid4()
    await log.append_all([arrived(a, OrgRegistered("élan 🦷"), save()), done(b), arrived(a, save()), done(a)])
    await log.append_all([done(b, expected=1), done(b, expected=7), arrived(a, save(), save())])
    stored = await rows(admin, READ)
    assert len(stored) == 8
    previous = b""
    for row in stored:
        previous = chained(row, previous if row["version"] > 1 else b"")
        assert row["hash"] == previous, (row["stream"], row["version"])
    recomputed = await rows(
        admin,
        """SELECT hash = event_hash(coalesce(lag(hash) OVER (PARTITION BY stream ORDER BY version), ''), stream,
                  version, event_id, type, schema, recorded_at, data, meta) AS same FROM events""",
    )
    assert all(row["same"] for row in recomputed)


async def test_hashes_do_not_depend_on_the_session(log: EventLog, admin: "asyncpg.Connection[asyncpg.Record]") -> None:
    await log.append(arrived(uuid4()))
    await admin.execute("SET timezone = 'Asia/Kathmandu'; SET datestyle = 'German'; SET lc_time = 'C'")
    same = await admin.fetchval(
        "SELECT hash = event_hash('', stream, version, event_id, type, schema, recorded_at, data, meta) FROM events"
    )
    assert same is True
