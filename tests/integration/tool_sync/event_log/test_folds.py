"""The SQL folds against the oracle in Python, one event or many at a time, and how far behind they may be."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tool_sync import db
from tool_sync.domain import events as e
from tool_sync.log import AppendRequest, EventLog, NewEvent, org_stream, toolset_stream

from .fold_oracle import Tables
from .making import META, arrived, count, rows, save

KEYS = {
    "organizations": ("id",),
    "system_tools": ("name",),
    "org_tools": ("org_id", "tool_name"),
    "assistants": ("org_id", "agent_id"),
    "pending_syncs": ("org_id", "agent_id"),
    "org_tool_settings": ("org_id", "tool_name"),
}
AGENTS = st.sampled_from(["agent-1", "agent-2"])
ASSISTANTS = st.sampled_from(["assistant-1", "assistant-2"])
HASHES = st.sampled_from(["a" * 64, "b" * 64, "c" * 64])
NAMES = st.sampled_from(["book", "cancel"])
NUMBERS = st.integers(1, 12)
TOOLS = st.lists(st.builds(e.ToolRef, NAMES, st.just("tool-1"), NUMBERS, HASHES), max_size=2).map(tuple)
IDS, ACCOUNT, TIERS = st.uuids(), st.just("platform"), st.sampled_from(["basic", "premium"])
SOMETIME = st.just(datetime(2026, 1, 31, 12, 30, 0, 250_000, tzinfo=UTC))
AT = st.none() | SOMETIME
NONE = st.none()
REASONS = NONE | st.just("being renovated")

ARRIVES = st.one_of(
    st.builds(e.OrgRegistered, TIERS),
    st.builds(e.OrgTierChanged, TIERS),
    st.builds(e.ToolSettingChanged, NAMES, st.booleans(), REASONS),
    st.builds(e.ToolSettingRemoved, NAMES, REASONS),
    st.builds(e.RetryRequested, st.none() | AGENTS),
    st.builds(e.SyncRequested, IDS, AGENTS, ASSISTANTS, NUMBERS, HASHES, st.sampled_from(["save", "auto_sync"]), NONE),
    st.builds(e.SyncRequested, IDS, AGENTS, ASSISTANTS, NUMBERS, HASHES, st.just("repair"), NONE),
    st.builds(e.RequestUnreadable, IDS, NONE),
    st.builds(e.AssistantRemoved, AGENTS, NONE | ASSISTANTS, NONE | NUMBERS),
    st.builds(e.TrafficSplitSeen, AGENTS, ASSISTANTS, NONE | st.just(("v1", "v2"))),
    st.builds(e.AssistantDriftSeen, AGENTS, ASSISTANTS, st.booleans()),
    st.builds(e.ToolDriftSeen, ACCOUNT, NAMES, st.just("tool-1"), st.booleans()),
    st.builds(e.OrgClosed),
)
IS_DONE = st.one_of(
    st.builds(e.ToolRegistered, IDS, ACCOUNT, NAMES, st.just("tool-1"), NUMBERS, HASHES, HASHES, st.booleans()),
    st.builds(e.ToolUpdated, IDS, ACCOUNT, NAMES, st.just("tool-2"), NUMBERS, HASHES, HASHES),
    st.builds(e.ToolVanished, ACCOUNT, NAMES, st.just("tool-1"), NUMBERS, HASHES),
    st.builds(e.ToolRetired, ACCOUNT, NAMES, st.just("tool-1"), NUMBERS, HASHES, st.just("tier"), SOMETIME),
    st.builds(e.ToolReinstated, ACCOUNT, NAMES, st.just("tool-1"), NUMBERS, HASHES),
    st.builds(e.ToolDeleteStarted, IDS, ACCOUNT, NAMES, st.just("tool-1"), SOMETIME),
    st.builds(e.ToolDeleted, IDS, ACCOUNT, NAMES, st.just("tool-1"), NUMBERS, HASHES),
    st.builds(e.SurplusFound, ACCOUNT, NAMES, st.just("tool-3"), AT),
    st.builds(e.SurplusDeleteStarted, IDS, ACCOUNT, NAMES, st.just("tool-3")),
    st.builds(e.SurplusDeleted, IDS, ACCOUNT, NAMES, st.just("tool-3")),
    st.builds(e.SweepStarted, st.just(("tool-1",))),
    st.builds(e.AssistantLinkStarted, IDS, ACCOUNT, AGENTS, ASSISTANTS, NUMBERS, HASHES, TOOLS),
    st.builds(e.AssistantLinked, IDS, ACCOUNT, AGENTS, ASSISTANTS, NUMBERS, HASHES, HASHES, HASHES, TOOLS,
              NONE | st.just("v3")),
    st.builds(e.AssistantSynced, AGENTS, ASSISTANTS, NUMBERS, ACCOUNT, TOOLS, st.just(()), NUMBERS, NONE, NONE,
              NONE | st.just("TS-501")),
    st.builds(e.AssistantSyncFailed, NONE | AGENTS, NONE, NONE | NUMBERS, ACCOUNT, TOOLS, st.just(()),
              st.just("TS-001"), st.just(()), NUMBERS, AT, NUMBERS),
    st.builds(e.AssistantDiverged, AGENTS, ASSISTANTS, NUMBERS, HASHES, NUMBERS),
    st.builds(e.DriftDetected, AGENTS, ASSISTANTS, HASHES),
    st.builds(e.OrgSettled, NUMBERS),
)  # fmt: skip
PUBLISHED = st.builds(e.BlueprintPublished, NAMES, NUMBERS, TIERS, st.booleans(), HASHES)
ORGS = st.integers(0, 1)
HISTORY = st.lists(
    st.tuples(ORGS, ARRIVES) | st.tuples(ORGS, IS_DONE) | st.tuples(ORGS, PUBLISHED), min_size=1, max_size=40
)


def requests(salt: UUID, history: list[tuple[int, e.Event]]) -> list[AppendRequest]:
    """One for each event; every org is registered by an event that arrives, as intake does."""
    orgs = [uuid5(salt, str(n)) for n in range(2)]
    made = [arrived(org_id, save()) for org_id in orgs]
    for n, event in history:
        org_id: UUID | None = orgs[n]
        if isinstance(event, e.BlueprintPublished):
            stream, org_id = f"blueprint-{event.name}", None
        elif isinstance(event, e.OrgEvent):
            stream = org_stream(orgs[n])
        else:
            stream = toolset_stream(orgs[n])
        made.append(AppendRequest(stream, org_id, None, (NewEvent(uuid4(), event),), META))
    return made


async def found(connection: db.Connection) -> dict[str, dict[Any, dict[str, Any]]]:
    """The projections as they are in the database, by table and key."""
    tables = {table: await rows(connection, f"SELECT * FROM {table}") for table in KEYS}  # type: ignore[arg-type]  # noqa: S608
    return {table: {key_of(table, row): row for row in found} for table, found in tables.items()}


def key_of(table: str, row: dict[str, Any]) -> Any:
    """A row's key as the oracle has it."""
    key = tuple(row[column] for column in KEYS[table])
    return key[0] if len(key) == 1 else key


async def expected(log: EventLog) -> dict[str, dict[Any, dict[str, Any]]]:
    """The projections as the oracle folds them from the whole log."""
    tables, position = Tables(), 0
    while events := (await log.read(position, 1000)).events:
        for event in events:
            tables.fold(event)
        position = events[-1].position
    return {table: getattr(tables, table) for table in KEYS}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=HISTORY, size=st.integers(1, 12))
async def test_the_tables_are_the_fold_of_the_log(
    log: EventLog, pool: db.Pool, history: list[tuple[int, e.Event]], size: int
) -> None:
    made = requests(uuid4(), history)
    for start in range(0, len(made), size):  # the ranges of the folds: whole calls
        await log.append_all(made[start : start + size])
    async with pool.acquire() as connection:
        assert await found(connection) == await expected(log)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=HISTORY)
async def test_folding_a_range_again_changes_nothing(
    log: EventLog, pool: db.Pool, owner: "asyncpg.Connection[asyncpg.Record]", history: list[tuple[int, e.Event]]
) -> None:
    start = (await log.read(0, 1)).head
    await log.append_all(requests(uuid4(), history))
    async with pool.acquire() as connection:
        before = await found(connection)
        head = (await log.read(0, 1)).head
        for table in KEYS:
            await owner.execute(f"SELECT fold_{table}($1, $2)", start, head)
            await owner.execute(f"SELECT fold_{table}($1, $2)", start, (start + head) // 2)
        assert await found(connection) == before


async def test_a_projection_that_is_behind_catches_up_with_the_next_append_of_any_type(
    log: EventLog, pool: db.Pool, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await log.append_all([arrived(uuid4(), save()) for _ in range(5)])
    await admin.execute("TRUNCATE pending_syncs; UPDATE projections SET position = 0 WHERE name = 'pending_syncs'")
    await log.append(arrived(uuid4()))
    async with pool.acquire() as connection:
        assert await found(connection) == await expected(log)
    assert {row["position"] for row in await rows(admin, "SELECT position FROM projection_positions")} == {6}


async def test_a_projection_too_far_behind_is_left_to_a_rebuild(
    log: EventLog, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await admin.execute("UPDATE projections SET position = -50000 WHERE name = 'pending_syncs'")
    await log.append(arrived(uuid4(), save()))
    assert await count(admin, "pending_syncs") == 0
    assert await admin.fetchval("SELECT position FROM projection_positions WHERE name = 'pending_syncs'") == -50000
    assert await count(admin, "assistants") == 1


async def test_every_projection_has_its_fold_and_knows_only_types_of_this_release(
    admin: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    projections = await rows(admin, "SELECT name, types FROM projections")
    assert {row["name"] for row in projections} == set(KEYS)
    known = {cls.__name__ for cls in e.Event.__args__}
    assert all(set(row["types"] or ()) <= known for row in projections)
    for row in projections:
        source = await admin.fetchval("SELECT prosrc FROM pg_proc WHERE proname = $1", f"fold_{row['name']}")
        read = {name for name in known if f"'{name}'" in source}
        assert row["types"] is None or set(row["types"]) == read  # an unlisted type would never be folded
