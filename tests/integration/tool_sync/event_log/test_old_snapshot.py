"""Somebody's old snapshot (`pg_dump`) keeps every row version: so there is no row that every append writes anew."""

from uuid import uuid4

import asyncpg

from tool_sync.log.statement import encode, execute

from .making import arrived, rows, save

APPENDS = 50


async def test_saves_of_new_clinics_update_no_row_at_all(
    service: "asyncpg.Connection[asyncpg.Record]", admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await execute(service, [encode(arrived(uuid4(), save()))])  # the first of a log finds projections at 0
    before = await _updated(service, admin)
    async with admin.transaction(isolation="repeatable_read"):
        await admin.fetchval("SELECT count(*) FROM events")
        for _ in range(APPENDS):
            await execute(service, [encode(arrived(uuid4(), save()))])
    assert await _updated(service, admin) == before
    assert before == {"projections": 5}, "the counts are those of this session, and have arrived"


async def test_a_clinic_costs_its_own_rows_only(
    service: "asyncpg.Connection[asyncpg.Record]", admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    org = uuid4()
    for _ in range(APPENDS):
        await execute(service, [encode(arrived(org, save()))])
    assert await _updated(service, admin) == {
        "projections": 5, "assistants": APPENDS - 1, "pending_syncs": APPENDS - 1,
    }  # fmt: skip


async def _updated(
    service: "asyncpg.Connection[asyncpg.Record]", admin: "asyncpg.Connection[asyncpg.Record]"
) -> dict[str, int]:
    """How many rows the session has updated so far, by table."""
    await service.fetchval("SELECT pg_stat_force_next_flush()")
    found = await rows(admin, "SELECT relname, n_tup_upd FROM pg_stat_user_tables WHERE n_tup_upd > 0")
    return {row["relname"]: row["n_tup_upd"] for row in found}
