"""What an append answers, and what is stored after each answer."""

import asyncio
from uuid import UUID, uuid4

import asyncpg
import pytest

from tool_sync.domain.events import BlueprintPublished, OrgClosed, OrgRegistered, OrgSettled
from tool_sync.log import (
    Appended,
    AppendRejected,
    AppendRequest,
    Conflict,
    Duplicate,
    EventLog,
    NewEvent,
    org_stream,
    toolset_stream,
)

from .making import META, arrived, count, done, save


async def test_events_of_one_request_follow_each_other_in_position_and_version(log: EventLog) -> None:
    org_id = uuid4()
    answer = await log.append(arrived(org_id, OrgRegistered("basic"), save(), save()))
    assert isinstance(answer, Appended)
    assert (answer.first_position, answer.version) == (1, 3)
    page = await log.read(0, 10)
    assert [(e.position, e.stream, e.version) for e in page.events] == [(n, org_stream(org_id), n) for n in (1, 2, 3)]
    assert {e.recorded_at for e in page.events} == {answer.recorded_at}
    assert page.head == 3


async def test_what_is_read_back_is_what_was_appended(log: EventLog) -> None:
    org_id, event = uuid4(), save()
    request = arrived(org_id, event)
    await log.append(request)
    (stored,) = (await log.read(0, 10)).events
    assert (stored.event, stored.meta, stored.org_id) == (event, META, org_id)
    assert stored.event_id == request.events[0].event_id


async def test_the_same_ids_again_are_a_duplicate_with_the_first_answer(log: EventLog) -> None:
    request = arrived(uuid4(), OrgRegistered("basic"), save())
    first = await log.append(request)
    assert isinstance(first, Appended)
    await log.append(arrived(uuid4()))
    assert await log.append(request) == Duplicate(first.first_position, first.version, first.recorded_at)
    assert (await log.read(0, 10)).head == 3


async def test_a_request_sees_those_before_it_in_the_same_call(log: EventLog) -> None:
    org_id = uuid4()
    request = arrived(org_id)
    answers = await log.append_all([request, request, done(org_id, expected=0), done(org_id, expected=1), request])
    assert [type(answer) for answer in answers] == [Appended, Duplicate, Appended, Appended, Duplicate]
    assert (await log.read(0, 10)).head == 3


async def test_another_version_than_expected_is_a_conflict_and_its_neighbours_are_stored(log: EventLog) -> None:
    org_id = uuid4()
    await log.append(done(org_id))
    answers = await log.append_all([done(org_id, expected=0), done(org_id, expected=1), done(org_id, expected=1)])
    assert isinstance(answers[1], Appended)
    assert [answers[0], answers[2]] == [Conflict(1), Conflict(2)]


async def test_ids_come_before_the_version(log: EventLog) -> None:
    request = done(uuid4(), expected=0)
    await log.append(request)
    assert isinstance(await log.append(request), Duplicate)


async def test_of_twenty_appends_at_one_version_exactly_one_is_stored(
    log: EventLog, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    org_id = uuid4()
    answers = await asyncio.gather(*(log.append(done(org_id, expected=0)) for _ in range(20)))
    assert sorted(type(answer).__name__ for answer in answers) == ["Appended"] + ["Conflict"] * 19
    assert await count(admin, "events") == 1


@pytest.mark.parametrize("elsewhere", [False, True], ids=["in part", "in another stream"])
async def test_ids_stored_in_part_or_elsewhere_are_refused_and_nothing_is_written(
    log: EventLog, elsewhere: bool
) -> None:
    org_id, stored, new = uuid4(), uuid4(), uuid4()
    await log.append(arrived(org_id, ids=(stored,)))
    request = done(org_id, ids=(stored,)) if elsewhere else arrived(org_id, save(), save(), ids=(new, stored))
    with pytest.raises(AppendRejected) as refused:
        await log.append(request)
    assert (refused.value.sqlstate, refused.value.is_poison) == ("ZT001", False)
    assert (await log.read(0, 10)).head == 1


@pytest.mark.parametrize(
    ("stream", "org_id"),
    [
        (org_stream(UUID(int=1)), UUID(int=2)),
        (toolset_stream(UUID(int=1)), None),
        ("blueprint-x", UUID(int=1)),
        ("orgs", None),
        ("blueprint-", None),
    ],
)
async def test_a_stream_belongs_to_its_org(log: EventLog, stream: str, org_id: UUID | None) -> None:
    request = AppendRequest(stream, org_id, None, (NewEvent(uuid4(), OrgSettled(0)),), META)
    with pytest.raises(AppendRejected) as refused:
        await log.append(request)
    assert refused.value.sqlstate == "23514"


async def test_a_blueprint_stream_belongs_to_no_org(log: EventLog) -> None:
    event = BlueprintPublished("book", 1, "basic", True, "f" * 64)
    answer = await log.append(AppendRequest("blueprint-book", None, 0, (NewEvent(uuid4(), event),), META))
    assert isinstance(answer, Appended)


async def test_an_event_above_64_kib_is_refused(log: EventLog) -> None:
    with pytest.raises(AppendRejected) as refused:
        await log.append(arrived(uuid4(), OrgRegistered("x" * 65_536)))
    assert refused.value.sqlstate == "23514"
    assert isinstance(await log.append(arrived(uuid4(), OrgRegistered("x" * 65_000))), Appended)


async def test_recorded_at_never_runs_backwards(log: EventLog, admin: "asyncpg.Connection[asyncpg.Record]") -> None:
    await log.append(arrived(uuid4()))
    await admin.execute("ALTER TABLE events DISABLE TRIGGER USER")
    await admin.execute("UPDATE events SET recorded_at = now() + interval '1 hour'")
    await admin.execute("ALTER TABLE events ENABLE TRIGGER USER")
    await log.append(arrived(uuid4(), OrgClosed()))
    first, second = (await log.read(0, 10)).events
    assert second.recorded_at == first.recorded_at


async def test_append_refuses_a_snapshot_older_than_its_lock(service: "asyncpg.Connection[asyncpg.Record]") -> None:
    async with service.transaction(isolation="repeatable_read"):
        with pytest.raises(asyncpg.InvalidTransactionStateError):
            await service.execute("SELECT append('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')")
