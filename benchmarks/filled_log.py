"""A log of many events at once, written past `append`, for what reads a long log.

Each org has ten events of two saves, in the order of a real one; every tenth event is a tool's registration, and every
fifth is published. The folds then make the projections, as they would for a release that is new. Hashes are right.
"""

import asyncpg

EVENTS_OF_AN_ORG = 10
PUBLISHED_OF_AN_ORG = 2

# The chain, as a sum over the rows of a page: each hash is made of the one before it.
_CHAINED = """
CREATE OR REPLACE AGGREGATE pg_temp.chained(bigint, bigint, text, int, uuid, uuid, text, smallint, text, text)
  (SFUNC = position_hash, STYPE = bytea, INITCOND = '{previous}')
"""
_LAST = "SELECT coalesce((SELECT hash FROM events ORDER BY position DESC LIMIT 1), '')::text"
_FILL = """
WITH page AS MATERIALIZED (
SELECT g AS position, s.kind || '-' || o.org AS stream, s.version, gen_random_uuid() AS event_id, o.org AS org_id,
       s.type, 1::smallint AS schema, d.data,
       jsonb_build_object('causation_id', o.org, 'correlation_id', o.org, 'actor', 'benchmark',
                          'traceparent', '00-' || repeat('ab', 16) || '-' || repeat('cd', 8) || '-01',
                          'service_version', '0') AS meta,
       timestamptz '2026-01-01' + g * interval '1 ms' AS recorded_at
FROM generate_series($1::bigint, $2::bigint) g
CROSS JOIN LATERAL (SELECT md5('org' || (g - 1) / 10)::uuid AS org) o
JOIN (VALUES (0, 'org', 1, 'OrgRegistered'), (1, 'org', 2, 'SyncRequested'),
             (2, 'toolset', 1, 'ToolRegistrationStarted'), (3, 'toolset', 2, 'ToolRegistered'),
             (4, 'toolset', 3, 'AssistantLinkStarted'), (5, 'toolset', 4, 'AssistantLinked'),
             (6, 'toolset', 5, 'AssistantSynced'), (7, 'org', 3, 'SyncRequested'),
             (8, 'toolset', 6, 'AssistantSynced'), (9, 'toolset', 7, 'OrgSettled'))
  AS s (n, kind, version, type) ON s.n = (g - 1) % 10
CROSS JOIN LATERAL (SELECT CASE s.type
  WHEN 'OrgRegistered' THEN '{"tier": "basic"}'::jsonb
  WHEN 'OrgSettled' THEN jsonb_build_object('settled_through', g - 9)
  WHEN 'SyncRequested' THEN jsonb_build_object('request_id', o.org, 'agent_id', 'agent-1', 'assistant_id', o.org,
       'revision', s.version, 'model_hash', repeat('0', 64), 'cause', 'save', 'trace_id', repeat('ab', 16))
  WHEN 'AssistantSynced' THEN jsonb_build_object('agent_id', 'agent-1', 'assistant_id', o.org, 'revision', 1,
       'account', 'platform', 'settled_through', g - CASE s.version WHEN 5 THEN 5 ELSE 1 END,
       'cause', NULL, 'sequence', s.version - 4,
       'requests', jsonb_build_array(jsonb_build_object('request_id', o.org, 'trace_id', repeat('ab', 16))),
       'tools', t.tools)
  WHEN 'AssistantLinkStarted' THEN jsonb_build_object('attempt_id', o.org, 'account', 'platform', 'agent_id', 'agent-1',
       'assistant_id', o.org, 'revision', 1, 'base_hash', repeat('1', 64), 'tools', t.tools)
  WHEN 'AssistantLinked' THEN jsonb_build_object('attempt_id', o.org, 'account', 'platform', 'agent_id', 'agent-1',
       'assistant_id', o.org, 'revision', 1, 'base_hash', repeat('1', 64), 'model_hash', repeat('0', 64),
       'answer_hash', repeat('2', 64), 'tools', t.tools)
  ELSE jsonb_build_object('attempt_id', o.org, 'account', 'platform', 'name', 'bookClinicAppointment',
       'vapi_tool_id', o.org, 'definition_version', 1, 'definition_hash', repeat('3', 64),
       'answer_hash', repeat('4', 64), 'adopted', false) END AS data
  FROM (SELECT jsonb_build_array(jsonb_build_object('name', 'bookClinicAppointment', 'vapi_tool_id', o.org,
       'definition_version', 1, 'definition_hash', repeat('3', 64))) AS tools) t) d
)
INSERT INTO events (position, stream, version, event_id, org_id, type, schema, data, meta, hash, recorded_at)
SELECT position, stream, version, event_id, org_id, type, schema, data, meta,
       pg_temp.chained(position, time_micros(recorded_at), stream, version, event_id, org_id, type, schema, data::text,
                       meta::text) OVER (ORDER BY position),
       recorded_at
FROM page
"""
# Nobody has work to do, and the relay has nothing to send: a service over this log is quiet.
_QUIET = """
INSERT INTO leases (org_id, processed_position) SELECT id, $1 FROM organizations;
"""
_SENT = "INSERT INTO cursors (name, position) VALUES ('outcomes-relay', $1)"
_PAGE = 50_000
_PROJECTIONS = (
    "organizations", "fleet_tools", "org_tools", "assistants", "pending_syncs", "org_tool_settings", "tool_refusals",
    "org_tool_pins", "org_change_windows", "tool_drifts",
)  # fmt: skip


async def fill(admin_url: str, events: int) -> None:
    """Write positions 1 to ``events`` into an empty log and fold its projections; for a superuser."""
    connection = await asyncpg.connect(admin_url)
    try:
        for start in range(0, events, _PAGE):
            await connection.execute(_CHAINED.format(previous=await connection.fetchval(_LAST)))
            await connection.execute(_FILL, start + 1, min(events, start + _PAGE))
            for name in _PROJECTIONS:
                await connection.execute(f"SELECT fold_{name}($1, $2)", start, min(events, start + _PAGE))
        for statement in ("UPDATE projections SET position = $1", _QUIET, _SENT):
            await connection.execute(statement, events)
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()
