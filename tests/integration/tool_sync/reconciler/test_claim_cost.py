"""A claim costs what it claims: neither idle clinics nor those that wait for their time are read."""

from collections.abc import Iterator
from datetime import timedelta
from hashlib import md5
from typing import Any
from uuid import UUID

import asyncpg
from pydantic_core import from_json

from tool_sync import db
from tool_sync.sync import leases
from tool_sync.sync.leases import Release, Start

IDLE, WAITING, BACKLOG = 500_000, 100_000, 1_000
ROWS_READ_MAX = 1_000
"""What 16 claims may read; each row counts again where it is looked up."""

_ORG = "md5('org' || g)::uuid"
# Positions as in a log in which all settled long ago, then many saved whose tools Vapi refuses, then some more saved.
_FILL = f"""
INSERT INTO pending_syncs (org_id, agent_id, requested, settled, save_requested)
SELECT {_ORG}, 'agent-1', g, CASE WHEN g <= {IDLE} THEN g ELSE 0 END, g
  FROM generate_series(1, {IDLE + WAITING + BACKLOG}) g;
INSERT INTO leases (org_id, processed_position, next_due)
SELECT {_ORG}, g, clock_timestamp() + interval '1 day' FROM generate_series(1, {IDLE + WAITING}) g;
"""  # noqa: S608


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


async def _explained(connection: db.Connection, start: Start) -> list[dict[str, Any]]:
    """The nodes of the plan that a process keeps, after it has seen many values."""
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    found = await connection.fetchval(
        "EXPLAIN (ANALYZE, FORMAT JSON) " + leases.CLAIM.replace("{rows}", "16"),
        16, timedelta(seconds=5), start.position, 16, [], [], [], 16,
    )  # fmt: skip
    document = from_json(found) if isinstance(found, str) else found
    return list(_nodes(document[0]["Plan"]))


_NO_STATISTICS = """
DELETE FROM pg_statistic WHERE starelid IN ('leases'::regclass, 'pending_syncs'::regclass);
UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE oid IN ('leases'::regclass, 'pending_syncs'::regclass);
"""


async def test_a_claim_reads_no_more_than_it_claims_beside_500_000_orgs_whatever_the_statistics_say(
    pool: db.Pool, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    for table in ("leases", "pending_syncs"):
        await admin.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
    await admin.execute("ANALYZE leases, pending_syncs")
    await admin.execute(_FILL)
    start = Start()
    for statistics in ("SELECT 'of empty tables'", _NO_STATISTICS, "ANALYZE leases, pending_syncs"):
        await admin.execute(statistics)
        claims, _now = await leases.claim(pool, 16, 60, start)
        assert len(claims) == 16
        assert start.position == IDLE + WAITING + 1, "what waits was walked past once"

        nodes = await _explained(admin, start)
        assert [node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"] == []
        read = [node for node in nodes if "Relation Name" in node]
        assert sum(node["Actual Rows"] * node["Actual Loops"] for node in read) < ROWS_READ_MAX
        assert sum(node.get("Rows Removed by Filter", 0) * node["Actual Loops"] for node in read) < ROWS_READ_MAX


async def test_what_a_start_has_passed_is_claimed_when_its_time_comes(
    pool: db.Pool, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await admin.execute(
        "INSERT INTO pending_syncs (org_id, agent_id, requested, save_requested)"
        " SELECT md5('org' || g)::uuid, 'agent-1', g, g FROM generate_series(1, 3) g"
    )
    start = Start()
    claims, now = await leases.claim(pool, 10, 60, start)
    assert now is not None
    await leases.release(pool, [Release(claim, 3, now + timedelta(hours=1)) for claim in claims])
    assert await leases.claim(pool, 10, 60, start) == ([], None)
    assert start.position == 4
    await admin.execute("UPDATE leases SET next_due = now() WHERE org_id = $1", claims[1].org_id)
    again, _now = await leases.claim(pool, 10, 60, start)
    assert [claim.org_id for claim in again] == [claims[1].org_id]


async def test_what_somebody_holds_is_not_passed(pool: db.Pool, admin: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Its holder may give it back with a newer save unseen."""
    await admin.execute(
        "INSERT INTO pending_syncs (org_id, agent_id, requested, save_requested)"
        " SELECT md5('org' || g)::uuid, 'agent-1', g, g FROM generate_series(1, 3) g"
    )
    (held,), _now = await leases.claim(pool, 1, 60)
    start = Start()
    others, _now = await leases.claim(pool, 10, 60, start)
    await leases.release(pool, [Release(claim, 3, None) for claim in others])
    assert await leases.claim(pool, 10, 60, start) == ([], None)
    assert start.position == 1
    await leases.release(pool, [Release(held, 0, None)])
    again, _now = await leases.claim(pool, 10, 60, start)
    assert [claim.org_id for claim in again] == [held.org_id]


async def test_a_row_whose_save_is_settled_is_found_in_the_other_lane(
    pool: db.Pool, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """Its holder settled the save without having read the auto-sync behind it; others wait behind both."""
    await admin.execute(
        "INSERT INTO pending_syncs (org_id, agent_id, requested, save_requested)"
        " SELECT md5('org' || g)::uuid, 'agent-1', g * 10, CASE g WHEN 1 THEN 5 ELSE 0 END FROM generate_series(1, 3) g"
    )
    start = Start()
    claims, now = await leases.claim(pool, 10, 60, start)
    assert now is not None
    saved, *others = sorted(
        claims, key=lambda claim: claim.org_id != UUID(md5(b"org1", usedforsecurity=False).hexdigest())
    )
    await leases.release(pool, [Release(claim, 30, now + timedelta(hours=1)) for claim in others])
    assert await leases.claim(pool, 10, 60, start) == ([], None)
    await admin.execute("UPDATE pending_syncs SET settled = 5 WHERE save_requested = 5")
    await leases.release(pool, [Release(saved, 7, None)])
    again, _now = await leases.claim(pool, 10, 60, start)
    assert [claim.org_id for claim in again] == [saved.org_id]


async def test_to_renew_a_lease_and_to_take_over_a_dead_ones_changes_no_index(
    pool: db.Pool, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await admin.execute(
        "INSERT INTO pending_syncs (org_id, agent_id, requested, save_requested) VALUES (gen_random_uuid(), 'a', 1, 1)"
    )
    (held,), _now = await leases.claim(pool, 1, 60)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(leases.RENEW, [held.org_id], [held.token], timedelta(seconds=-1))
        taken = await connection.fetch(
            leases.CLAIM.replace("{rows}", "1"), 1, timedelta(seconds=60), 0, 1, [], [], [], 1
        )
        assert [row["org_id"] for row in taken] == [held.org_id]
        updated = await connection.fetchrow(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = 'leases'"
        )
    assert updated is not None
    assert tuple(updated) == (2, 2)


async def test_behind_an_account_without_room_the_others_are_claimed_and_no_claim_walks_far(
    pool: db.Pool, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """10,000 clinics of one account are due before one that has none of its own."""
    await admin.execute(
        "INSERT INTO pending_syncs (org_id, agent_id, requested, save_requested)"
        " SELECT md5('org' || g)::uuid, 'agent-1', g, g FROM generate_series(1, 10001) g;"
        "INSERT INTO vapi_accounts (org_id, account, sealed_key, key_fingerprint, revision, log_id)"
        " SELECT md5('org' || g)::uuid, 'vapi-dead', 'k.x', repeat('a', 32), 1, gen_random_uuid()"
        " FROM generate_series(1, 10000) g;"
        "ANALYZE pending_syncs, vapi_accounts"
    )
    last = await admin.fetchval("SELECT md5('org10001')::uuid")
    start = Start()
    first, _now = await leases.claim(pool, 64, 60, start, own_max=16)
    assert len(first) == 16, "of the account, as many as it has room for"
    rest, _now = await leases.claim(pool, 64, 60, start, own_max=16, own_rooms={"vapi-dead": 0})
    assert [claim.org_id for claim in rest] == [last]
    assert await leases.claim(pool, 64, 60, start, own_max=16, own_rooms={"vapi-dead": 0}) == ([], None)
    more, _now = await leases.claim(pool, 64, 60, start, own_max=16, own_rooms={"vapi-dead": 3})
    assert len(more) == 3
