"""The database guards tenants by itself, whatever the code above it forgets."""

import asyncpg
import pytest

from devstack.databases import DatabaseUrls

from .harness import Harness

TENANT_TABLES = {
    "organizations",
    "agents",
    "saves",
    "outbox",
    "outcomes",
    "appointments",
    "tool_calls",
    "missed_claims",
    "access_log",
}


async def test_every_table_with_tenants_forces_row_level_security(assistant_api_db: DatabaseUrls) -> None:
    connection = await asyncpg.connect(assistant_api_db.admin)
    rows = await connection.fetch(
        "SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity AS forced, EXISTS (SELECT FROM pg_attribute a"
        " WHERE a.attrelid = c.oid AND a.attname = 'org_id') OR c.relname = 'organizations' AS tenants"
        " FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
    )
    await connection.close()

    tenants = {row["relname"] for row in rows if row["tenants"]}
    assert tenants >= TENANT_TABLES
    assert {row["relname"] for row in rows if row["forced"]} == tenants


async def test_the_services_role_owns_nothing_and_bypasses_nothing(assistant_api_db: DatabaseUrls) -> None:
    connection = await asyncpg.connect(assistant_api_db.service)
    owned = await connection.fetchval("SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole")
    powers = await connection.fetchrow(
        "SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user"
    )
    for statement in ("DELETE FROM outcomes", "DROP TABLE agents", "TRUNCATE saves", "ALTER TABLE agents ADD x int"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    await connection.close()

    assert owned == 0
    assert powers is not None
    assert not any(powers.values())


async def test_a_tenants_reads_see_its_own_rows_even_without_a_where(harness: Harness) -> None:
    mine, theirs = await harness.organization(), await harness.organization()
    await harness.agent(mine, id="mine")
    await harness.agent(theirs, id="theirs")

    async with harness.service.database.tenant(mine) as connection:
        for table, column in (("organizations", "id"), ("agents", "org_id"), ("saves", "org_id")):
            seen = {row[0] for row in await connection.fetch(f"SELECT {column} FROM {table}")}  # noqa: S608
            assert seen == {mine}


async def test_a_tenants_transaction_cannot_write_and_leaves_no_trace_on_the_connection(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")

    for table in TENANT_TABLES - {"outbox"}:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with harness.service.database.tenant(org_id) as connection:
                await connection.execute(f"DELETE FROM {table}")  # noqa: S608
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with harness.service.database.tenant(org_id) as connection:
            await connection.execute("SELECT * FROM outbox")
    async with harness.service.database.connection() as connection:
        assert await connection.fetchval("SELECT current_user::text") == "assistant_api"
        assert not await connection.fetchval("SELECT current_setting('app.org_id', true)")


async def test_without_an_organization_a_tenant_sees_nothing(harness: Harness) -> None:
    await harness.agent(await harness.organization(), id="a")

    async with harness.service.database.transaction() as connection:
        await connection.execute("SELECT set_config('role', 'assistant_api_tenant', true)")
        assert await connection.fetchval("SELECT count(*) FROM agents") == 0
