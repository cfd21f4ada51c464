"""Many clinics that have their tool, written into the log past `append`: for what a rollout reads and changes.

A process of tool-sync must have been there before: it seeds the log, and these clinics have what it published. Each
has six events: registered, one assistant saved, the tool made, the assistant synced, all looked through.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeAlias
from uuid import UUID

import aiohttp
import asyncpg

from benchmarks.errors import NotMeasured

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
TOOL: Final = "bookClinicAppointment"
EVENTS_OF_A_CLINIC: Final = 6
MAKERS: Final = 32
_PAGE: Final = 10_000
_PUBLISHED: Final = """
SELECT data FROM events WHERE type = 'BlueprintPublished' AND data->>'name' = $1 ORDER BY position DESC LIMIT 1
"""
_FILL: Final = """
INSERT INTO events (position, stream, version, event_id, org_id, type, schema, data, meta, hash, recorded_at)
SELECT $3 + (o.n - 1) * 6 + s.n + 1, s.kind || '-' || o.org, s.version, gen_random_uuid(), o.org, s.type, 1, d.data,
       jsonb_build_object('causation_id', o.org, 'correlation_id', o.org, 'actor', 'benchmark', 'traceparent', NULL,
                          'service_version', '0'),
       '\\x0000000000000000000000000000000000000000000000000000000000000000', clock_timestamp()
FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS o (org, tool_id, n)
CROSS JOIN (VALUES (0, 'org', 1, 'OrgRegistered'), (1, 'org', 2, 'SyncRequested'),
             (2, 'toolset', 1, 'ToolRegistrationStarted'), (3, 'toolset', 2, 'ToolRegistered'),
             (4, 'toolset', 3, 'AssistantSynced'), (5, 'toolset', 4, 'OrgSettled'))
  AS s (n, kind, version, type)
CROSS JOIN LATERAL (SELECT $3 + (o.n - 1) * 6 AS before) b
CROSS JOIN LATERAL (SELECT CASE s.type
  WHEN 'OrgRegistered' THEN '{"tier": "basic"}'::jsonb
  WHEN 'OrgSettled' THEN jsonb_build_object('settled_through', b.before + 1)
  WHEN 'SyncRequested' THEN jsonb_build_object('request_id', o.org, 'agent_id', 'agent-1', 'assistant_id', o.org,
       'revision', 1, 'model_hash', repeat('0', 64), 'cause', 'save', 'trace_id', repeat('ab', 16))
  WHEN 'AssistantSynced' THEN jsonb_build_object('agent_id', 'agent-1', 'assistant_id', o.org, 'revision', 1,
       'account', 'platform', 'settled_through', b.before + 2, 'cause', NULL, 'sequence', 1,
       'requests', jsonb_build_array(jsonb_build_object('request_id', o.org, 'trace_id', repeat('ab', 16))),
       'tools', jsonb_build_array(jsonb_build_object('name', $4::text, 'vapi_tool_id', o.tool_id,
                                                     'definition_version', $5::int, 'definition_hash', $6::text)))
  ELSE jsonb_build_object('attempt_id', o.org, 'account', 'platform', 'name', $4::text, 'vapi_tool_id', o.tool_id,
       'definition_version', $5::int, 'definition_hash', $6::text, 'answer_hash', repeat('4', 64), 'adopted', false,
       'order', 'seed-' || $4::text, 'fleet_position', $3::bigint) END AS data) d
"""
# Four saves of a clinic that has its tool, each with an outcome that failed.
_FAIL: Final = """
INSERT INTO events (position, stream, version, event_id, org_id, type, schema, data, meta, hash, recorded_at)
SELECT $2 + (o.n - 1) * 8 + s.n + 1, k.kind || '-' || o.org, k.first + s.n / 2, gen_random_uuid(), o.org, k.type, 1,
       d.data,
       jsonb_build_object('causation_id', o.org, 'correlation_id', o.org, 'actor', 'benchmark', 'traceparent', NULL,
                          'service_version', '0'),
       '\\x0000000000000000000000000000000000000000000000000000000000000000', clock_timestamp()
FROM unnest($1::uuid[]) WITH ORDINALITY AS o (org, n)
CROSS JOIN generate_series(0, 7) AS s (n)
JOIN (VALUES (0, 'org', 3, 'SyncRequested'), (1, 'toolset', 5, 'AssistantSyncFailed')) AS k (n, kind, first, type)
  ON k.n = s.n % 2
CROSS JOIN LATERAL (SELECT $2 + (o.n - 1) * 8 + s.n + 1 AS position, md5(o.org || '/' || s.n / 2)::uuid AS request) b
CROSS JOIN LATERAL (SELECT CASE k.type
  WHEN 'SyncRequested' THEN jsonb_build_object('request_id', b.request, 'agent_id', 'agent-1', 'assistant_id', o.org,
       'revision', 2 + s.n / 2, 'model_hash', repeat('0', 64), 'cause', 'save', 'trace_id', repeat('ab', 16))
  ELSE jsonb_build_object('agent_id', 'agent-1', 'assistant_id', o.org, 'revision', 2 + s.n / 2,
       'account', 'platform', 'settled_through', b.position - 1, 'cause', NULL, 'sequence', 2 + s.n / 2,
       'code', $3::text, 'look_at', NULL, 'tools', '[]'::jsonb, 'failed_tools', '[]'::jsonb,
       'requests', jsonb_build_array(jsonb_build_object('request_id', b.request, 'trace_id', repeat('ab', 16)))) END
  AS data) d
"""
_FOLDED: Final = "SELECT name FROM projections WHERE types IS NULL OR types && $1::text[]"
_TYPES: Final = (
    "OrgRegistered", "SyncRequested", "ToolRegistrationStarted", "ToolRegistered", "AssistantSynced", "OrgSettled",
)  # fmt: skip
_AT_REST: Final = """
INSERT INTO leases (org_id, processed_position) SELECT id, $1 FROM organizations
    ON CONFLICT (org_id) DO UPDATE SET processed_position = excluded.processed_position
"""


async def document(admin_url: str) -> dict[str, Any]:
    """What the release published of the booking tool, as the event has it."""
    connection = await asyncpg.connect(admin_url)
    try:
        found = await connection.fetchval(_PUBLISHED, TOOL)
    finally:
        await connection.close()
    if found is None:
        raise NotMeasured("nothing was published: tool-sync has not seeded this log")
    published: dict[str, Any] = json.loads(found)
    return published


async def make_tools(url: str, api_key: str, published: dict[str, Any], orgs: Sequence[UUID]) -> list[str]:
    """Make the tool of each clinic in the sandbox; their ids, in that order."""
    template = json.dumps(published["document"])
    ids: dict[int, str] = {}
    waiting = iter(enumerate(orgs))
    headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
    connector = aiohttp.TCPConnector(limit=MAKERS)
    async with aiohttp.ClientSession(base_url=url, headers=headers, connector=connector) as session:

        async def make() -> None:
            for number, org_id in waiting:
                body = template.replace(str(UUID(int=0)), str(org_id))
                async with session.post("/tool", data=body) as answer:
                    if answer.status != 201:
                        raise NotMeasured(f"the sandbox answers {answer.status} to POST /tool: {await answer.text()}")
                    ids[number] = (await answer.json())["id"]

        async with asyncio.TaskGroup() as makers:
            for _ in range(MAKERS):
                makers.create_task(make())
    return [ids[number] for number in range(len(orgs))]


async def fill(admin_url: str, published: dict[str, Any], clinics: Sequence[tuple[UUID, str]]) -> None:
    """Write clinics with the ids of their tools behind what is there, and fold the tables; nobody may be at work."""

    async def page(connection: Connection, start: int, head: int) -> int:
        some = clinics[start : start + _PAGE]
        await connection.execute(
            _FILL, [org_id for org_id, _ in some], [tool_id for _, tool_id in some], head, TOOL,
            published["version"], published["definition_hash"],
        )  # fmt: skip
        return EVENTS_OF_A_CLINIC * len(some)

    await _write(admin_url, _TYPES, len(clinics), page)


async def fail(admin_url: str, orgs: Sequence[UUID], code: str) -> int:
    """Let the assistants of these clinics fail with a code, four saves each; how many there are. As :func:`fill`."""

    async def page(connection: Connection, start: int, head: int) -> int:
        some = orgs[start : start + _PAGE]
        await connection.execute(_FAIL, some, head, code)
        return 8 * len(some)

    await _write(admin_url, ("SyncRequested", "AssistantSyncFailed"), len(orgs), page)
    return len(orgs)


async def _write(
    admin_url: str, types: Sequence[str], clinics: int, page: Callable[[Connection, int, int], Awaitable[int]]
) -> None:
    """``page`` writes the events of clinics from a number on behind a position, and says how many they are."""
    connection = await asyncpg.connect(admin_url, timeout=30)
    try:
        names = [row["name"] for row in await connection.fetch(_FOLDED, list(types))]
        head: int = await connection.fetchval("SELECT coalesce(max(position), 0) FROM events")
        for start in range(0, clinics, _PAGE):
            end = head + await page(connection, start, head)
            for name in names:
                await connection.execute(f'SELECT "fold_{name}"($1, $2)', head, end)
            head = end
        await connection.execute("UPDATE projections SET position = $1", head)
        await connection.execute(_AT_REST, head)
        await connection.execute("UPDATE cursors SET position = $1", head)
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()
