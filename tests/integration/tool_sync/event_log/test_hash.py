"""The hash chain, recomputed from the description alone."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
from tests.checker.collect import EVENTS
from tests.checker.history import Event
from tests.checker.rules.log import event_hash

from tool_sync.domain.events import BlueprintPublished, OrgRegistered
from tool_sync.log import AppendRequest, EventLog, NewEvent

from .making import META, arrived, done, rows, save

READ = """
SELECT position, stream, version, event_id, org_id, type, schema, recorded_at, data::text AS data, meta::text AS meta,
       hash
FROM events ORDER BY position
"""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SAME = """
SELECT position_hash(coalesce(lag(hash) OVER (ORDER BY position), ''), position, time_micros(recorded_at), stream,
                     version, event_id, org_id, type, schema, data::text, meta::text) = hash AS same FROM events
"""


def chained(row: dict[str, Any], previous: bytes) -> bytes:
    """SHA-256 of form 2, as the comment on the SQL function says."""
    micros = (row["recorded_at"] - EPOCH) // timedelta(microseconds=1)
    numbers = ((row["position"], 8), (micros, 8), (row["version"], 4), (row["schema"], 2))
    owner = row["org_id"].bytes if row["org_id"] else bytes(16)
    texts = [row[name].encode() for name in ("stream", "type", "data", "meta")]
    return hashlib.sha256(
        b"\x02"
        + len(previous).to_bytes(4, "big")
        + previous
        + b"".join(number.to_bytes(size, "big") for number, size in numbers)
        + row["event_id"].bytes
        + owner
        + b"".join(len(text).to_bytes(4, "big") + text for text in texts)
    ).digest()


async def test_every_hash_follows_from_the_one_before_it_in_the_log(
    log: EventLog, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    a, b = uuid4(), uuid4()
    blueprint = NewEvent(uuid4(), BlueprintPublished("book", 1, "basic", True, "f" * 64))
    await log.append_all([arrived(a, OrgRegistered("élan 🦷"), save()), done(b), arrived(a, save()), done(a)])
    await log.append(AppendRequest("blueprint-book", None, 0, (blueprint,), META))
    await log.append_all([done(b, expected=1), done(b, expected=7), arrived(a, save(), save())])
    stored = await rows(admin, READ)
    assert len(stored) == 9
    previous = b""
    for row in stored:
        previous = chained(row, previous)
        assert row["hash"] == previous, row["position"]
    assert all(row["same"] for row in await rows(admin, SAME))


async def test_hashes_do_not_depend_on_the_session(log: EventLog, admin: "asyncpg.Connection[asyncpg.Record]") -> None:
    await log.append(arrived(uuid4()))
    await admin.execute("SET timezone = 'Asia/Kathmandu'; SET datestyle = 'German'; SET lc_time = 'C'")
    assert [row["same"] for row in await rows(admin, SAME)] == [True]


async def test_the_checkers_own_reading_finds_the_same_hashes(
    log: EventLog, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await log.append_all([arrived(uuid4(), OrgRegistered("élan 🦷"), save()), done(uuid4())])
    previous = b""
    for row in await rows(admin, EVENTS):
        row["org_id"] = str(row["org_id"])
        previous = event_hash(Event(row, {}, {}), previous)
        assert row["hash"] == previous.hex()
