"""Who may do what: events are final, the process writes no record of what happened, a tenant sees its own rows."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest

from tool_sync import db
from tool_sync.domain.events import BlueprintPublished, ChangeWindowSet, ToolPinned, ToolRegistered, ToolSettingChanged
from tool_sync.intake.tool_settings import keep_texts
from tool_sync.log import AppendRequest, EventLog, NewEvent, Snapshot

from .making import META, arrived, count, done, rows, save

WINDOW = ChangeWindowSet("22:00", "06:00")
PIN = ToolPinned("book", 1, "f" * 64, "basic", datetime(2026, 12, 24, tzinfo=UTC), "a fair")
READ = {"SELECT"}
WRITE = {"SELECT", "INSERT", "UPDATE", "DELETE"}
SERVICE = {
    "events": READ, "organizations": READ, "org_tools": READ, "assistants": READ, "pending_syncs": READ,
    "org_tool_settings": READ, "tool_refusals": READ, "org_tool_pins": READ, "org_change_windows": READ,
    "tool_drifts": READ, "fleet_turns": {"SELECT", "INSERT", "UPDATE"}, "gate_calls": {"SELECT", "INSERT", "DELETE"},
    "fleet_tools": READ, "system_tools": WRITE, "tool_requests": READ, "org_tool_texts": READ,
    "projections": READ, "projection_positions": READ, "log": READ, "hash_forms": READ, "schema_migrations": READ,
    "installation": {"SELECT", "INSERT"}, "lost_tools": READ,
    "topic_looks": {"SELECT", "INSERT", "UPDATE"}, "lost_records": {"SELECT", "INSERT", "UPDATE"},
    "snapshots": WRITE, "leases": WRITE, "dead_letters": WRITE, "cursors": WRITE,
    "vapi_keys": WRITE, "key_minutes": WRITE, "key_pauses": WRITE,
    "named_tools": WRITE, "vapi_looks": WRITE, "vapi_words": WRITE,
    "object_looks": WRITE, "vapi_walks": WRITE, "operator_actions": READ, "display_names": WRITE,
    "vapi_accounts": {"SELECT", "INSERT", "UPDATE"},
    "tool_call_counts": WRITE, "counted_calls": {"SELECT", "INSERT", "DELETE"},
    "tool_calls_read": {"SELECT", "INSERT", "UPDATE"}, "notice_endpoints": WRITE, "notices": WRITE,
    "revoked_tokens": {"SELECT", "DELETE"}, "console_links": {"SELECT", "INSERT", "DELETE"},
    "status_links": {"SELECT", "INSERT", "DELETE"},
}  # fmt: skip
OF_A_TENANT = (
    "events", "organizations", "org_tools", "assistants", "pending_syncs", "leases", "snapshots", "vapi_words",
    "org_tool_settings", "org_tool_pins", "org_change_windows", "org_tool_texts",
    "display_names", "tool_call_counts",
)  # fmt: skip
TENANT = dict.fromkeys((*OF_A_TENANT, "system_tools", "tool_calls_read"), READ)
IN_PART_OF_A_TENANT = {"notice_endpoints", "notices", "status_links"}
NOT_OF_A_TENANT = sorted(SERVICE.keys() - TENANT.keys() - IN_PART_OF_A_TENANT)

PRIVILEGES = """
SELECT c.relname AS table, p.privilege
FROM pg_class c
CROSS JOIN unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER,MAINTAIN}'::text[]) AS p (privilege)
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
  AND has_table_privilege($1, c.oid, p.privilege)
"""


@pytest.mark.parametrize(
    ("role", "expected"), [("tool_sync", SERVICE), ("tool_sync_service", SERVICE), ("tool_sync_tenant", TENANT)]
)
async def test_each_role_has_these_rights_on_tables_and_no_others(
    admin: "asyncpg.Connection[asyncpg.Record]", role: str, expected: dict[str, set[str]]
) -> None:
    found: dict[str, set[str]] = {}
    for row in await rows(admin, PRIVILEGES, role):
        found.setdefault(row["table"], set()).add(row["privilege"])
    assert found == expected


async def test_the_tenant_role_runs_no_function_of_ours(admin: "asyncpg.Connection[asyncpg.Record]") -> None:
    allowed = await rows(
        admin,
        """SELECT r.rolname AS role, p.proname AS function FROM pg_proc p, pg_roles r
           WHERE p.pronamespace = 'public'::regnamespace AND r.rolname IN ('tool_sync', 'tool_sync_tenant')
             AND has_function_privilege(r.oid, p.oid, 'EXECUTE')""",
    )
    assert {row["function"] for row in allowed if row["role"] == "tool_sync_tenant"} == set()
    assert {row["function"] for row in allowed} == {
        "append", "event_hash", "hash_part", "hash_parts", "hash_time", "keep_tool_texts", "older_digest",
        "position_hash", "ring_of", "time_micros",
    }  # fmt: skip


@pytest.mark.parametrize("change", ["UPDATE events SET type = 'x'", "DELETE FROM events", "TRUNCATE events"])
async def test_events_are_final_for_their_owner_and_for_a_superuser(
    log: EventLog,
    owner: "asyncpg.Connection[asyncpg.Record]",
    admin: "asyncpg.Connection[asyncpg.Record]",
    change: str,
) -> None:
    await log.append(arrived(uuid4()))
    for connection in (owner, admin):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="never changed"):
            await connection.execute(change)
    assert await count(admin, "events") == 1


async def test_every_table_that_knows_an_org_is_closed_by_policies(admin: "asyncpg.Connection[asyncpg.Record]") -> None:
    tables = await rows(
        admin,
        """SELECT c.relname AS table, c.relrowsecurity AND c.relforcerowsecurity AS closed,
                  array(SELECT polname::text FROM pg_policy WHERE polrelid = c.oid ORDER BY polname) AS policies
           FROM pg_class c
           WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
             AND (c.relname = 'organizations' OR EXISTS (
               SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'org_id'))""",
    )
    # A foreign tool says by itself whose it is: a cache of the account, which no tenant reads.
    tables = [t for t in tables if t["table"] != "named_tools"]
    assert len(tables) == 24
    of_ours = ["owner", "service"]
    expected = {"vapi_looks": of_ours, "lost_tools": of_ours, "object_looks": of_ours}
    expected |= {"tool_refusals": of_ours, "tool_drifts": of_ours, "vapi_accounts": of_ours}
    of_all = ["owner", "service", "tenant"]
    assert all(t["closed"] and t["policies"] == expected.get(t["table"], of_all) for t in tables), tables


@pytest.fixture
async def two_orgs(log: EventLog, pool: db.Pool) -> tuple[UUID, UUID]:
    """A and B, each with a row in every table that knows an org; and a blueprint, which belongs to neither."""
    orgs = (uuid4(), uuid4())
    for org_id in orgs:
        tool = ToolRegistered(uuid4(), "platform", "book", f"tool-{org_id}", 1, "f" * 64, "f" * 64, False)
        await log.append_all(
            [arrived(org_id, save(), ToolSettingChanged("book", True), PIN, WINDOW), done(org_id, tool)]
        )
        await log.save_snapshots([Snapshot(org_id, 1, 1, "{}")])
        assert await keep_texts(pool, org_id, {"a" * 64: "words"})
        await pool.execute("INSERT INTO leases (org_id) VALUES ($1)", org_id)
        await pool.execute("INSERT INTO display_names VALUES ($1, '', 'Praxis', 'praxis', 1, $1)", org_id)
        await pool.execute(
            "INSERT INTO tool_call_counts VALUES ($1, 'booked', '2026-11-30', '', 'book', 1, now())", org_id
        )
        await pool.execute(
            """INSERT INTO dead_letters (topic, partition, "offset", headers, reason, org_id)
               SELECT 't', 0, count(*), '{}', 'r', $1 FROM dead_letters""",
            org_id,
        )
        await pool.execute(
            "INSERT INTO vapi_words (org_id, route, code, words) VALUES ($1, 'POST /tool', 'TS-301', 'no')", org_id
        )
    blueprint = BlueprintPublished("book", 1, "basic", True, "f" * 64)
    await log.append(AppendRequest("blueprint-book", None, 0, (NewEvent(uuid4(), blueprint),), META))
    return orgs


@pytest.mark.parametrize("table", OF_A_TENANT)
async def test_a_tenant_sees_its_own_rows_and_without_an_org_none(
    two_orgs: tuple[UUID, UUID], pool: db.Pool, service: "asyncpg.Connection[asyncpg.Record]", table: str
) -> None:
    column = "id" if table == "organizations" else "org_id"
    for org_id in two_orgs:
        async with db.tenant_tx(pool, org_id) as connection:
            seen = await rows(connection, f"SELECT DISTINCT {column} AS org FROM {table}")  # type: ignore[arg-type]  # noqa: S608
            assert seen == [{"org": org_id}]
    async with service.transaction():
        await service.execute("SET LOCAL ROLE tool_sync_tenant")
        assert await count(service, table) == 0  # the setting was never made
    async with service.transaction():
        await service.execute("SELECT set_config('app.org_id', $1, true)", str(two_orgs[0]))
    async with service.transaction():
        await service.execute("SET LOCAL ROLE tool_sync_tenant")
        assert await service.fetchval("SELECT current_setting('app.org_id')") == ""
        assert await count(service, table) == 0  # and now it is empty, not null
    assert await count(service, table) > 1
    assert {row["org"] for row in await rows(service, f"SELECT {column} AS org FROM {table}")} >= set(two_orgs)  # noqa: S608


@pytest.mark.parametrize("column", ["sealed_secret", "sealed_old"])
async def test_a_tenant_reads_where_its_notices_go_and_no_secret(
    two_orgs: tuple[UUID, UUID], pool: db.Pool, column: str
) -> None:
    for org_id in two_orgs:
        await pool.execute(
            """INSERT INTO notice_endpoints (org_id, url, sealed_secret, secret_made_at, set_at, set_by, told_position)
               VALUES ($1, 'https://a.example', 's', now(), now(), 'org:a', 0)""",
            org_id,
        )
        await pool.execute(
            "INSERT INTO notices (message_id, org_id, type, said, body) VALUES ($1::uuid::text, $1, 't', 's', '{}')",
            org_id,
        )
        await pool.execute(
            """INSERT INTO status_links (id, org_id, code_hash, label, made_at, made_by, expires_at)
               VALUES ($1, $1, sha256(uuid_send($1)), 'l', now(), 'org:a', now())""",
            org_id,
        )
    for table in sorted(IN_PART_OF_A_TENANT):
        async with db.tenant_tx(pool, two_orgs[0]) as connection:
            seen = await connection.fetch(f"SELECT org_id FROM {table}")  # noqa: S608
            assert [row["org_id"] for row in seen] == [two_orgs[0]]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with db.tenant_tx(pool, two_orgs[0]) as connection:
            await connection.execute(f"SELECT {column} FROM notice_endpoints")  # noqa: S608
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with db.tenant_tx(pool, two_orgs[0]) as connection:
            await connection.execute("SELECT body FROM notices")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with db.tenant_tx(pool, two_orgs[0]) as connection:
            await connection.execute("SELECT code_hash FROM status_links")


@pytest.mark.parametrize("table", NOT_OF_A_TENANT)
async def test_a_tenant_reads_no_table_of_the_platform(two_orgs: tuple[UUID, UUID], pool: db.Pool, table: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with db.tenant_tx(pool, two_orgs[0]) as connection:
            await connection.execute(f"SELECT FROM {table}")


async def test_a_tenants_transaction_leaves_nothing_on_its_connection(
    two_orgs: tuple[UUID, UUID], pool: db.Pool
) -> None:
    async with db.tenant_tx(pool, two_orgs[0]) as connection:
        process_id = connection.get_server_pid()
        assert await connection.fetchval("SELECT current_user") == "tool_sync_tenant"
        with pytest.raises(asyncpg.PostgresError):
            await connection.execute("SELECT append('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')")
    async with pool.acquire() as connection:
        assert connection.get_server_pid() == process_id
        assert await connection.fetchval("SELECT current_user") == "tool_sync"
        assert await connection.fetchval("SELECT current_setting('app.org_id')") == ""
