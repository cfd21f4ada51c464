"""What fails is counted once for all pages: by code, together, and by when it began."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from tool_sync import db
from tool_sync.domain.events import AssistantSyncFailed, Event, OrgRegistered, SyncRequested
from tool_sync.log import AppendRequest, EventLog, Meta, NewEvent, org_stream, toolset_stream
from tool_sync.queries.failures import FailureCount, Which, count_failures, failing_by_code, when_failed

META = Meta("cause", "correlation", None, "test", "1")
DAY, BIN = timedelta(days=1), timedelta(minutes=15)


async def failed(log: EventLog, org_id: UUID, *codes: str) -> None:
    """A clinic whose assistants fail, one with each code."""
    agents = [(f"agent-{number}", code) for number, code in enumerate(codes)]
    saves = [SyncRequested(uuid4(), agent, f"vapi-{agent}", 1, "a" * 64, "save", None) for agent, _ in agents]
    ends = [
        AssistantSyncFailed(agent, f"vapi-{agent}", 1, "platform", (), (), code, (), 1, None, number)
        for number, (agent, code) in enumerate(agents, 1)
    ]
    arrived: list[Event] = [OrgRegistered("basic"), *saves]
    done: list[Event] = [*ends]
    for stream, events in ((org_stream(org_id), arrived), (toolset_stream(org_id), done)):
        await log.append(AppendRequest(stream, org_id, None, tuple(NewEvent(uuid4(), it) for it in events), META))


async def test_the_one_count_says_of_each_code_what_its_own_count_says(pool: db.Pool, event_log: EventLog) -> None:
    await failed(event_log, uuid4(), "TS-301", "TS-304", "TS-304")
    await failed(event_log, uuid4(), "TS-301")
    since = datetime.now(UTC) - DAY
    async with pool.acquire() as connection:
        found = await failing_by_code(connection, since=since, bin_length=BIN)
        assert [(it.code, it.assistants, it.organizations) for it in found.groups] == [
            ("TS-301", 2, 2),
            ("TS-304", 2, 1),
        ]
        assert (found.total.assistants, found.total.organizations) == (4, 2)
        for code in (None, "TS-301", "TS-304", "TS-305"):
            assert found.of(code) == await count_failures(connection, Which(code), 100)
            when = await when_failed(connection, Which(code), since=since, bin_length=BIN, at_most=100)
            assert found.began(code) == when
        later = await failing_by_code(connection, since=datetime.now(UTC) + DAY, bin_length=BIN)
    assert (later.bins, later.total) == ({}, found.total), "what began before is counted, and in no bin"


async def test_where_nothing_fails_nothing_is_counted(pool: db.Pool, event_log: EventLog) -> None:
    async with pool.acquire() as connection:
        found = await failing_by_code(connection, since=datetime.now(UTC), bin_length=BIN)
    assert (found.total, found.groups, found.bins) == (FailureCount(0, 0, None), (), {})
