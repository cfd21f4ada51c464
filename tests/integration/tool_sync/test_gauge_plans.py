"""The gauges of open work read what is open, whatever has been done before."""

import asyncpg
import pytest

from tool_sync.queries.waiting import BACKLOG

DONE, OPEN = 20_000, 10
_FILL = f"""
INSERT INTO pending_syncs (org_id, agent_id, requested, settled, save_requested)
SELECT gen_random_uuid(), 'agent-1', g, CASE WHEN g <= {DONE} THEN g ELSE 0 END, g
  FROM generate_series(1, {DONE + OPEN}) g;
INSERT INTO dead_letters (topic, partition, "offset", headers, reason, acknowledged_at, acknowledged_reason)
SELECT 'assistants.v1', 0, g, '{{}}', 'bad', now(), 'closed' FROM generate_series(1, {DONE}) g;
"""  # noqa: S608


@pytest.mark.parametrize("statistics", ["SELECT", "ANALYZE"], ids=["no statistics", "true ones"])
async def test_open_work_is_found_by_its_indexes(admin: "asyncpg.Connection[asyncpg.Record]", statistics: str) -> None:
    await admin.execute(_FILL)
    await admin.execute(statistics)
    plan = "\n".join(row[0] for row in await admin.fetch(f"EXPLAIN {BACKLOG}"))
    assert plan.count("pending_syncs_open") == 2, plan
    assert "dead_letters_open" in plan
    assert "Seq Scan on pending_syncs" not in plan
    assert "Seq Scan on dead_letters" not in plan
    assert (await admin.fetchrow(BACKLOG))["pending"] == OPEN  # type: ignore[index]
