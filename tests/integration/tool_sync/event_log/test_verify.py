"""Does the log hold together: what is changed behind its back is found and named; and a fork after a restore."""

from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from devstack.databases import DatabaseUrls
from tool_sync import db
from tool_sync.log import EventLog, verify
from tool_sync.log.fork import LogInUse, fork
from tool_sync.log.verify import LogFinding

from .making import arrived, done, save

Connection = Any


async def findings(service: Connection) -> tuple[LogFinding, ...]:
    return (await verify.verify(service, lambda _done, _total: None)).findings


async def fill(log: EventLog) -> None:
    """Ten events of two orgs, positions 1 to 10; each stream has several."""
    a, b = uuid4(), uuid4()
    for _ in range(2):
        await log.append_all([arrived(a, save(), save()), done(a), arrived(b), done(b)])


async def tamper(admin: Connection, statement: str) -> None:
    """What a trigger and grants refuse, done by a superuser who turns them off."""
    await admin.execute("ALTER TABLE events DISABLE TRIGGER events_are_final")
    await admin.execute(statement)


async def test_a_log_as_it_was_written_holds(
    log: EventLog, service: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await verify.verify(service, lambda _done, _total: None)) == verify.LogVerified(0, ())
    await fill(log)
    monkeypatch.setattr(verify, "PAGE_POSITIONS", 3)  # a stream's chain crosses pages
    said: list[tuple[int, int]] = []
    found = await verify.verify(service, lambda done, total: said.append((done, total)))
    assert found == verify.LogVerified(10, ())
    assert said == [(3, 10), (6, 10), (9, 10), (10, 10)]


@pytest.mark.parametrize(
    "change",
    [
        """UPDATE events SET data = jsonb_set(data, '{revision}', '2') WHERE position = 6""",
        """UPDATE events SET meta = jsonb_set(meta, '{actor}', '"tesT"') WHERE position = 6""",
        "UPDATE events SET type = 'SyncRequesteD' WHERE position = 6",
        "UPDATE events SET recorded_at = recorded_at + interval '1 microsecond' WHERE position = 6",
        "UPDATE events SET event_id = gen_random_uuid() WHERE position = 6",
    ],
)
async def test_one_changed_byte_names_the_position(
    log: EventLog, service: Connection, admin: Connection, change: str
) -> None:
    await fill(log)
    await tamper(admin, change)
    (finding,) = await findings(service)
    assert finding.position == 6
    assert "was changed" in finding.problem


async def test_a_changed_hash_is_named_with_the_one_after_it_that_no_longer_follows(
    log: EventLog, service: Connection, admin: Connection
) -> None:
    await fill(log)
    await tamper(admin, "UPDATE events SET hash = set_byte(hash, 0, get_byte(hash, 0) # 1) WHERE position = 1")
    assert [finding.position for finding in await findings(service)] == [1, 2]


async def test_a_missing_event_is_a_hole_and_breaks_its_stream(
    log: EventLog, service: Connection, admin: Connection
) -> None:
    await fill(log)
    await tamper(admin, "DELETE FROM events WHERE position = 1")
    found = await findings(service)
    assert [finding.position for finding in found] == [1, 2]
    assert found[0].problem == "there is no event at this position"
    assert "the version before it" in found[1].problem


async def test_two_events_in_each_others_place_are_found(log: EventLog, service: Connection, admin: Connection) -> None:
    await fill(log)
    await tamper(
        admin,
        "UPDATE events SET position = 100 WHERE position = 1; UPDATE events SET position = 1 WHERE position = 6;"
        "UPDATE events SET position = 6 WHERE position = 100",
    )
    assert 1 in {finding.position for finding in await findings(service)}


async def test_a_cursor_ahead_of_the_log_is_found(log: EventLog, service: Connection) -> None:
    await fill(log)
    await service.execute("INSERT INTO cursors (name, position) VALUES ('outcomes-relay', 11)")
    (finding,) = await findings(service)
    assert (finding.position, "outcomes-relay is ahead of the log" in finding.problem) == (11, True)


async def test_a_fork_gives_the_log_another_id_and_remembers_the_old_one(
    tool_sync_db: DatabaseUrls, admin: Connection, owner: Connection
) -> None:
    before = await db.read_log_id(owner)
    forked = await fork(owner)
    assert (forked.forked_from, forked.head) == (before, 0)
    assert await db.read_log_id(owner) == forked.log_id != before
    assert await admin.fetchval("SELECT forked_from FROM log") == before


async def test_a_log_in_use_is_not_forked(log: EventLog, owner: Connection) -> None:
    before = await db.read_log_id(owner)
    with pytest.raises(LogInUse, match="stop it"):
        await fork(owner)  # the pool of the fixture is the service's
    assert await db.read_log_id(owner) == before


async def test_the_services_role_may_not_fork(service: Connection) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await fork(service)
