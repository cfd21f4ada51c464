"""The SQL folds against the oracle in Python, one event or many at a time, and how far behind they may be."""

from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devstack.databases import DatabaseUrls
from tool_sync import db
from tool_sync.domain import events as e
from tool_sync.log import EventLog
from tool_sync.log.projections import folding, verify

from .fold_oracle import Tables
from .histories import HISTORY, Happened, requests
from .making import arrived, count, rows, save

KEYS = {
    "organizations": ("id",),
    "fleet_tools": ("name",),
    "org_tools": ("org_id", "tool_name"),
    "assistants": ("org_id", "agent_id"),
    "pending_syncs": ("org_id", "agent_id"),
    "org_tool_settings": ("org_id", "tool_name"),
    "tool_refusals": ("org_id", "tool_name"),
    "org_tool_pins": ("org_id", "tool_name"),
    "org_change_windows": ("org_id",),
    "tool_drifts": ("org_id", "tool_name"),
}


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


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=HISTORY, size=st.integers(1, 12))
async def test_the_tables_are_the_fold_of_the_log(
    log: EventLog, pool: db.Pool, history: list[Happened], size: int
) -> None:
    made = requests(uuid4(), history, (await log.read(0, 1)).head)
    for start in range(0, len(made), size):  # the ranges of the folds: whole calls
        await log.append_all(made[start : start + size])
    async with pool.acquire() as connection:
        assert await found(connection) == await expected(log)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=HISTORY, size=st.integers(1, 12), page=st.integers(1, 12))
async def test_whatever_the_ranges_are_a_fold_finds_the_same_rows(
    log: EventLog, tool_sync_db: DatabaseUrls, history: list[Happened], size: int, page: int
) -> None:
    made = requests(uuid4(), history, (await log.read(0, 1)).head)
    for start in range(0, len(made), size):
        await log.append_all(made[start : start + size])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(folding, "PAGE_POSITIONS", page)
        for table in KEYS:
            assert (await verify(tool_sync_db.owner, table)).shown == (), table


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=HISTORY)
async def test_folding_a_range_again_changes_nothing(
    log: EventLog, pool: db.Pool, owner: "asyncpg.Connection[asyncpg.Record]", history: list[Happened]
) -> None:
    start = (await log.read(0, 1)).head
    await log.append_all(requests(uuid4(), history, start))
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
