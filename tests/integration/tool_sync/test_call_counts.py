"""Calls are counted for their clinics, each once, whatever happens between reading and counting; and forgotten."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any
from uuid import UUID, uuid4

import pytest

from tool_sync import db
from tool_sync.domain import events as e
from tool_sync.intake import call_counts
from tool_sync.intake.call_counts import CountedCall, count_calls, forget_counts, note_read
from tool_sync.log import AppendRequest, EventLog, NewEvent, org_stream
from tool_sync.queries.tool_calls import OrgCalls, calls_of

from .event_log.making import META

Admin = db.Connection
TOPIC = "tool-calls.v1"


def called(org_id: UUID, code: str = "booked", *, ago: timedelta = timedelta(), **more: Any) -> CountedCall:
    at = more.pop("at", datetime.now(UTC) - ago)
    return CountedCall(
        more.pop("id", uuid4()), at, org_id, code, more.pop("assistant_id", "assistant-1"), "bookClinicAppointment"
    )


async def happened(log: EventLog, org_id: UUID, *events: e.Event) -> None:
    for event in events:
        await log.append(AppendRequest(org_stream(org_id), org_id, None, (NewEvent(uuid4(), event),), META))


async def found(pool: db.Pool, org_id: UUID, assistant_id: str | None = None, days: int = 7) -> OrgCalls:
    async with db.tenant_tx(pool, org_id) as connection:
        return await calls_of(connection, org_id, assistant_id, days=days)


async def bookings(pool: db.Pool, org_id: UUID) -> int:
    return (await found(pool, org_id)).bookings


async def test_calls_are_counted_by_clinic_day_result_and_assistant(pool: db.Pool) -> None:
    org_id, other = uuid4(), uuid4()
    calls = [
        called(org_id),
        called(org_id, assistant_id="assistant-2"),
        called(org_id, assistant_id=None),
        called(org_id, "taken"),
        called(org_id, "a_code_of_tomorrow"),
        called(other),
    ]
    await count_calls(pool, calls)
    seen = await found(pool, org_id)
    assert {one.code: one.calls for one in seen.counts} == {"booked": 3, "taken": 1, "a_code_of_tomorrow": 1}
    assert seen.last_booking_at == max(call.at for call in calls[:3])
    assert (await found(pool, org_id, "assistant-2")).bookings == 1
    assert (await found(pool, org_id, "nobody's")).bookings == 0
    assert await bookings(pool, other) == 1


async def test_a_batch_that_comes_again_and_a_message_that_is_published_twice_count_once(pool: db.Pool) -> None:
    org_id = uuid4()
    batch = [called(org_id) for _ in range(5)]
    for again in (batch, batch, [batch[0], batch[0]], batch[::-1], [*batch[2:], called(org_id)]):
        await count_calls(pool, again)
    assert await bookings(pool, org_id) == 6


async def test_two_processes_that_count_the_same_at_once_count_each_once(pool: db.Pool) -> None:
    orgs = [uuid4() for _ in range(10)]
    batch = [called(org_id) for org_id in orgs for _ in range(20)]
    await asyncio.gather(*(count_calls(pool, batch[::step]) for step in (1, -1, 2, 1, -1)))
    assert [await bookings(pool, org_id) for org_id in orgs] == [20] * 10


async def test_a_process_that_dies_while_it_counts_has_counted_nothing_or_all(pool: db.Pool, admin: Admin) -> None:
    org_id = uuid4()
    batch = [called(org_id) for _ in range(3)]
    async with admin.transaction():  # the row that the statement waits for, after it has written ids
        await count_calls(pool, [called(org_id)])
        await admin.execute("SELECT FROM tool_call_counts WHERE org_id = $1 FOR UPDATE", org_id)
        dying = asyncio.create_task(count_calls(pool, batch))
        await _waits(admin)
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)
    assert await bookings(pool, org_id) == 1
    assert await pool.fetchval("SELECT count(*) FROM counted_calls WHERE id = ANY ($1)", [c.id for c in batch]) == 0
    await count_calls(pool, batch)  # as Kafka gives it to whoever comes after
    assert await bookings(pool, org_id) == 4


async def _waits(admin: Admin) -> None:
    for _ in range(500):
        if await admin.fetchval("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody waits for the row")


async def test_days_are_those_of_the_clinic_s_clock(pool: db.Pool, log: EventLog) -> None:
    auckland, unknown = uuid4(), uuid4()
    await happened(log, auckland, e.OrgRegistered("basic", "Pacific/Auckland"))
    await happened(log, unknown, e.OrgRegistered("basic", "Mars/Olympus_Mons"))
    at = datetime.now(UTC).replace(hour=12, minute=30) - timedelta(days=2)
    for org_id in (auckland, unknown):
        await count_calls(pool, [called(org_id, at=at)])
    days = {row["org_id"]: row["day"] for row in await pool.fetch("SELECT org_id, day FROM tool_call_counts")}
    assert days == {auckland: at.date() + timedelta(days=1), unknown: at.date()}
    assert (await found(pool, auckland)).time_zone == "Pacific/Auckland"
    assert (await found(pool, unknown)).time_zone == "UTC"


async def test_only_the_days_that_are_asked_for_are_counted_and_the_last_booking_may_be_older(pool: db.Pool) -> None:
    org_id, long_ago = uuid4(), datetime.now(UTC) - timedelta(days=30)
    await count_calls(pool, [called(org_id, ago=timedelta(days=day)) for day in range(8)])
    assert (await found(pool, org_id)).bookings == 7
    assert (await found(pool, org_id, days=1)).bookings == 1
    assert (await found(pool, org_id, days=92)).bookings == 8
    other = uuid4()
    await pool.execute(
        "INSERT INTO tool_call_counts VALUES ($1, 'booked', $2, '', 'book', 4, $3)", other, long_ago.date(), long_ago
    )
    seen = await found(pool, other)
    assert (seen.bookings, seen.last_booking_at) == (0, long_ago)


async def test_a_call_of_the_future_counts_as_one_of_now_and_one_that_is_too_old_does_not(pool: db.Pool) -> None:
    org_id = uuid4()
    late = [called(org_id, ago=call_counts.COUNTED_MAX + timedelta(minutes=1)), called(org_id, at=_YEAR_1)]
    await count_calls(pool, [*late, called(org_id, at=datetime(9999, 12, 31, 23, tzinfo=UTC))])
    seen = await found(pool, org_id)
    assert seen.bookings == 1
    assert seen.last_booking_at is not None
    assert abs(seen.last_booking_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert await pool.fetchval("SELECT count(*) FROM counted_calls WHERE id = ANY ($1)", [c.id for c in late]) == 0


_YEAR_1 = datetime(1, 1, 1, tzinfo=UTC)


async def test_a_clinic_that_is_deleted_has_no_counts_and_gets_none(pool: db.Pool, log: EventLog) -> None:
    org_id, stays = uuid4(), uuid4()
    for one in (org_id, stays):
        await happened(log, one, e.OrgRegistered("basic"))
    await count_calls(pool, [called(org_id), called(stays)])
    await happened(log, org_id, e.OrgClosed())
    assert await bookings(pool, org_id) == 0
    late = called(org_id)
    await count_calls(pool, [late])
    await happened(log, org_id, e.OrgRegistered("basic"))  # made anew: what came while it was deleted is not its
    await count_calls(pool, [late])
    assert (await bookings(pool, org_id), await bookings(pool, stays)) == (0, 1)


async def test_what_a_deletion_has_missed_goes_with_old_days_and_old_ids(pool: db.Pool, log: EventLog) -> None:
    org_id, stays = uuid4(), uuid4()
    await happened(log, org_id, e.OrgRegistered("basic"), e.OrgClosed())
    today = datetime.now(UTC).date()
    rows = [(org_id, today), (stays, today - timedelta(days=8)), (stays, today - timedelta(days=9))]
    await pool.executemany("INSERT INTO tool_call_counts VALUES ($1, 'booked', $2, '', 'book', 1, now())", rows)
    old, young = uuid4(), uuid4()
    await pool.executemany(
        "INSERT INTO counted_calls VALUES ($1, now() - $2::interval)",
        [(old, call_counts.IDS_KEPT + timedelta(minutes=1)), (young, call_counts.COUNTED_MAX)],
    )
    await forget_counts(pool, 8)
    kept = await pool.fetch("SELECT org_id, day FROM tool_call_counts")
    assert [tuple(row) for row in kept] == [rows[1]]
    assert [row["id"] for row in await pool.fetch("SELECT id FROM counted_calls")] == [young]


async def test_forgetting_goes_on_until_little_is_left(pool: db.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_counts, "FORGET_MAX", 3)
    await pool.execute(
        "INSERT INTO counted_calls SELECT gen_random_uuid(), now() - interval '30 days' FROM generate_series(1, 10)"
    )
    await forget_counts(pool, 8)
    assert await pool.fetchval("SELECT count(*) FROM counted_calls") == 0


async def test_it_is_said_since_when_and_how_far_all_is_counted(pool: db.Pool) -> None:
    org_id = uuid4()
    assert (await found(pool, org_id)).missing == ("no call has ever been read",)
    await note_read(pool, TOPIC, lambda: inf)
    assert [one[:22] for one in (await found(pool, org_id)).missing] == [
        "calls are counted sinc",
        "how far calls are read",
    ]
    await pool.execute("UPDATE tool_calls_read SET counted_since = now() - interval '8 days'")
    await note_read(pool, TOPIC, lambda: 3.0)
    assert (await found(pool, org_id)).missing == ()
    await note_read(pool, TOPIC, lambda: 600.0)  # a process that has looked less far
    await note_read(pool, TOPIC, lambda: inf)
    assert (await found(pool, org_id)).missing == ()
    await pool.execute("UPDATE tool_calls_read SET read_through = now() - interval '2 minutes'")
    (said,) = (await found(pool, org_id)).missing
    assert "newer ones are not counted yet" in said


async def test_after_a_restore_nothing_is_claimed_of_the_time_before(pool: db.Pool, admin: Admin) -> None:
    org_id = uuid4()
    await note_read(pool, TOPIC, lambda: 0.0)
    await pool.execute("UPDATE tool_calls_read SET counted_since = now() - interval '9 days'")
    assert (await found(pool, org_id)).missing == ()
    await admin.execute("UPDATE log SET log_id = gen_random_uuid()")  # as `log fork` does
    await note_read(pool, TOPIC, lambda: inf)
    since, through = (await found(pool, org_id)).missing
    assert (since[:23], through) == ("calls are counted since", "how far calls are read is not known yet")


async def test_a_process_that_sleeps_before_it_says_how_far_it_is_says_no_more_than_is_true(pool: db.Pool) -> None:
    before: datetime = await pool.fetchval("SELECT clock_timestamp()")
    looked_at = time.monotonic()

    def behind_seconds() -> float:
        seconds = time.monotonic() - looked_at
        time.sleep(0.5)  # it is stopped when it has just looked
        return seconds

    await note_read(pool, TOPIC, behind_seconds)
    read_through: datetime = await pool.fetchval("SELECT read_through FROM tool_calls_read")
    assert read_through - before < timedelta(seconds=0.25)


async def test_what_kafka_lost_makes_a_count_incomplete_for_as_long_as_it_may_be_of_its_days(pool: db.Pool) -> None:
    org_id = uuid4()
    await pool.executemany(
        """INSERT INTO lost_records (topic, partition, first_offset, end_offset, cause, found_at)
           VALUES ($1, $2, 10, $3, 'x', now() - $4::interval)""",
        [(TOPIC, 0, 17, timedelta()), (TOPIC, 1, 15, timedelta(days=9)), ("another", 0, 99, timedelta())],
    )
    await note_read(pool, TOPIC, lambda: 0.0)
    await pool.execute("UPDATE tool_calls_read SET counted_since = now() - interval '9 days'")
    await note_read(pool, TOPIC, lambda: 0.0)
    assert (await found(pool, org_id)).missing == (
        "7 calls, of whichever clinics, were lost in Kafka before they were read",
    )
