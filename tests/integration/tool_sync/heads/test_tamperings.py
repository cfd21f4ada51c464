"""Whoever owns the table can turn its trigger off, change what he likes, and make all hashes anew: heads name it."""

from dataclasses import dataclass
from uuid import UUID

import asyncpg
import pytest

from tool_sync import db
from tool_sync.cli.log_heads import heads_lines, is_proved
from tool_sync.log import EventLog
from tool_sync.log.verify import LogVerified, verify
from tool_sync.outcomes.heads.comparing import HeadsCompared, compare
from tool_sync.outcomes.heads.heads_topic import HeadsRead
from tool_sync.outcomes.heads.keys import SigningKey
from zerotouch_contracts.heads import LogHead

from ..event_log.making import arrived, done, save
from .signing import new_pems, sign_now

A, B = UUID(int=0xA), UUID(int=0xB)
TURN_OFF = "ALTER TABLE events DISABLE TRIGGER USER; ALTER TABLE hash_forms DISABLE TRIGGER USER;"
RECHAIN = """
DO $$ DECLARE r record; previous bytea; BEGIN
  SELECT origin INTO previous FROM hash_forms;
  FOR r IN SELECT * FROM events ORDER BY position LOOP
    previous := position_hash(previous, r.position, time_micros(r.recorded_at), r.stream, r.version, r.event_id,
                              r.org_id, r.type, r.schema, r.data::text, r.meta::text);
    UPDATE events SET hash = previous WHERE position = r.position;
  END LOOP;
END $$;
"""
# The versions of each stream in the order of positions, as an honest log would have them.
RENUMBER_VERSIONS = """
UPDATE events SET version = version + 1000;
UPDATE events e SET version = n.version FROM (
  SELECT position, row_number() OVER (PARTITION BY stream ORDER BY position) AS version FROM events) n
 WHERE n.position = e.position;
"""
OLDER_FORM = """
DO $$ DECLARE r record; before bytea; BEGIN
  FOR r IN SELECT * FROM events ORDER BY position LOOP
    SELECT hash INTO before FROM events WHERE stream = r.stream AND version = r.version - 1;
    UPDATE events SET hash = event_hash(coalesce(before, ''), r.stream, r.version, r.event_id, r.type, r.schema,
                                        r.recorded_at, r.data, r.meta) WHERE position = r.position;
  END LOOP;
END $$;
UPDATE hash_forms SET first_position = 14, origin = older_digest('', 0, 13);
"""
AWAY = "UPDATE events SET position = position + 100000 WHERE position >= 6"
BACK_UP = "UPDATE events SET position = position - 99999 WHERE position > 100000"
BACK_DOWN = "UPDATE events SET position = position - 100001 WHERE position > 100000"
COPY_5_TO_6 = """
INSERT INTO events SELECT 6, stream, 900 + version, gen_random_uuid(), org_id, type, schema, data, meta, hash,
                          recorded_at FROM events WHERE position = 5
"""
TO_B = """
UPDATE events SET org_id = '00000000-0000-0000-0000-00000000000b', version = 900,
                  stream = 'toolset-00000000-0000-0000-0000-00000000000b' WHERE position = 6
"""
TO_ARRIVED = """
UPDATE events SET stream = 'org-00000000-0000-0000-0000-00000000000a', version = 900 WHERE position = 6
"""
CHANGED = "events 5 to 8 are not those that were signed"


@dataclass(frozen=True, slots=True)
class Tampering:
    """What is done, where it is named, and how. ``holds``: the log by itself looks as if nothing had happened."""

    statements: tuple[str, ...]
    position: int = 5
    problem: str = CHANGED
    holds: bool = True


TAMPERINGS = {
    "data": Tampering(("UPDATE events SET data = jsonb_set(data, '{revision}', '7') WHERE position = 6", RECHAIN)),
    "meta": Tampering(("UPDATE events SET meta = jsonb_set(meta, '{actor}', '\"x\"') WHERE position = 6", RECHAIN)),
    "type": Tampering(("UPDATE events SET type = 'AssistantRemoved' WHERE position = 6", RECHAIN)),
    "time": Tampering(
        ("UPDATE events SET recorded_at = recorded_at - interval '1 microsecond' WHERE position = 5", RECHAIN)
    ),
    "two events in each other's place": Tampering((
        "UPDATE events SET position = 100 WHERE position = 5",
        "UPDATE events SET position = 5 WHERE position = 6",
        "UPDATE events SET position = 6 WHERE position = 100",
        RECHAIN,
    )),
    "other positions": Tampering(
        ("UPDATE events SET position = position + 1000 WHERE position > 5", RECHAIN), holds=False
    ),
    "one taken out of the middle": Tampering(
        ("DELETE FROM events WHERE position = 6", AWAY, BACK_DOWN, RENUMBER_VERSIONS, RECHAIN)
    ),
    "the newest cut off": Tampering(
        ("DELETE FROM events WHERE position > 10",), 11, "the log was set back: 12 events were signed"
    ),
    "one put in": Tampering((AWAY, BACK_UP, COPY_5_TO_6, RENUMBER_VERSIONS, RECHAIN)),
    "another log in its place": Tampering(
        ("UPDATE events SET event_id = gen_random_uuid(), data = data || '{\"revision\": 9}'", RECHAIN),
        1,
        "events 1 to 4 are not those that were signed",
    ),
    "an event moved to another organization": Tampering((TO_B, RENUMBER_VERSIONS, RECHAIN)),
    "the form set back to 1": Tampering((OLDER_FORM,), 4, "the mark of the form was moved"),
}  # fmt: skip


async def tamper(admin: "asyncpg.Connection[asyncpg.Record]", *statements: str) -> None:
    """What a trigger and grants refuse, done by a superuser who turns them off."""
    for statement in (TURN_OFF, *statements):
        await admin.execute(statement)


@pytest.fixture
async def signed(log: EventLog, pool: db.Pool) -> tuple[SigningKey, list[LogHead]]:
    """A log of 13 events of two organizations, heads at 4, 8 and 12."""
    key, heads = SigningKey(new_pems()[0]), list[LogHead]()
    for revision in range(1, 4):
        requests = [arrived(A, save(revision=revision)), done(A), arrived(B, save(revision=revision)), done(B)]
        await log.append_all(requests)
        heads.append(await sign_now(pool, key, heads[-1] if heads else None))
    await log.append(arrived(A, save(revision=4)))
    return key, heads


async def look(pool: db.Pool, signed: tuple[SigningKey, list[LogHead]]) -> tuple[LogVerified, HeadsCompared]:
    key, heads = signed
    async with pool.acquire() as connection:
        verified = await verify(connection, lambda _done, _total: None)
        return verified, await compare(connection, HeadsRead(tuple(heads)), key.verifies, verified)


async def test_a_log_as_it_was_signed_is_proved_up_to_its_newest_head(
    pool: db.Pool, signed: tuple[SigningKey, list[LogHead]]
) -> None:
    verified, compared = await look(pool, signed)
    assert (verified.findings, compared.findings, compared.proved_through) == ((), (), 12)
    assert is_proved(compared)
    assert list(heads_lines(compared)) == [
        "proved: events 1 to 12 are as signed at 2026-11-30 03:12:00 UTC",
        "not proved: 1 newer event is not covered by such a head",
    ]
    assert signed[1][-1].counts == {"org": 6, "toolset": 6}


@pytest.mark.parametrize("name", TAMPERINGS)
async def test_what_the_owner_of_the_table_does_is_named(
    pool: db.Pool,
    admin: "asyncpg.Connection[asyncpg.Record]",
    signed: tuple[SigningKey, list[LogHead]],
    name: str,
) -> None:
    tampering = TAMPERINGS[name]
    await tamper(admin, *tampering.statements)
    verified, compared = await look(pool, signed)
    assert (verified.findings == ()) == tampering.holds, "only the heads can name it"
    assert not is_proved(compared)
    named = [one for one in compared.findings if tampering.problem in one.problem]
    assert [one.position for one in named] == [tampering.position], compared.findings
    assert compared.proved_through == {1: 0, 4: 0, 5: 4, 11: 8}[tampering.position]


async def test_an_event_above_the_newest_head_is_said_to_be_unproved(
    pool: db.Pool, admin: "asyncpg.Connection[asyncpg.Record]", signed: tuple[SigningKey, list[LogHead]]
) -> None:
    await tamper(admin, "UPDATE events SET data = jsonb_set(data, '{revision}', '7') WHERE position = 13", RECHAIN)
    verified, compared = await look(pool, signed)
    assert (verified.findings, compared.findings, compared.proved_through, compared.head) == ((), (), 12, 13)
    assert "not proved: 1 newer event is not covered by such a head" in list(heads_lines(compared))


async def test_a_change_without_new_hashes_is_named_by_its_position_and_heads_below_still_prove(
    pool: db.Pool, admin: "asyncpg.Connection[asyncpg.Record]", signed: tuple[SigningKey, list[LogHead]]
) -> None:
    await tamper(admin, "UPDATE events SET data = jsonb_set(data, '{revision}', '7') WHERE position = 9")
    verified, compared = await look(pool, signed)
    assert [one.position for one in verified.findings] == [9]
    assert (compared.proved_through, compared.head) == (8, 13)


async def test_a_moved_event_is_told_in_numbers(
    pool: db.Pool, admin: "asyncpg.Connection[asyncpg.Record]", signed: tuple[SigningKey, list[LogHead]]
) -> None:
    await tamper(admin, TO_ARRIVED, RENUMBER_VERSIONS, RECHAIN)
    _, compared = await look(pool, signed)
    assert "signed were 4 events of org, not 5, 4 events of toolset, not 3" in compared.findings[0].problem
