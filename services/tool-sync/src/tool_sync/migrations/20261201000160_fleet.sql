-- migrate:up
-- What was published is one thing, what was ordered another (ADR 42): system_tools says of each tool what a clinic gets
-- that signs up now.

-- Under the append lock, taken before any table's: what is appended between a fold and its row in projections would be
-- folded by nobody.
SELECT pg_advisory_xact_lock(7311);

ALTER TABLE system_tools
  ADD COLUMN id bigint,                              -- position of the event that first made the row
  ADD COLUMN enabled boolean NOT NULL DEFAULT false, -- by a completed order that stands, and not halted
  ADD COLUMN halted boolean NOT NULL DEFAULT false,
  ADD COLUMN contract int,
  ADD COLUMN schema jsonb,
  ADD COLUMN webhook_url varchar(255),
  ADD COLUMN updated_at timestamptz;

-- The tools that a range of positions is about, each made anew from all that was published and ordered up to its end:
-- there are few such events, and what an order says depends on those before it.
CREATE OR REPLACE FUNCTION fold_system_tools(from_position bigint, to_position bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO system_tools AS t (name, version, tier, asynchronous, definition_hash, position, id, enabled, halted,
                                 contract, schema, webhook_url, updated_at)
  SELECT touched.name, shown.version, shown.tier, shown.asynchronous, shown.definition_hash, touched.position,
         shown.first, ordered.version IS NOT NULL AND NOT coalesce(halt.is_on, false), coalesce(halt.is_on, false),
         shown.contract, shown.schema, shown.url, touched.at
  FROM (SELECT coalesce(data->>'name', data->>'tool') AS name, max(position) AS position, max(recorded_at) AS at
        FROM events
        WHERE org_id IS NULL AND position > from_position AND position <= to_position
          AND type IN ('BlueprintPublished', 'ToolHalted', 'ToolResumed', 'RolloutStarted', 'RolloutCompleted',
                       'RolloutRolledBack')
        GROUP BY 1) touched
  LEFT JOIN LATERAL (  -- of the newest completed order that was not rolled back: its version, null for an order to none
    SELECT (s.data->>'version')::int AS version
    FROM events s JOIN events c ON c.org_id IS NULL AND c.stream = s.stream AND c.type = 'RolloutCompleted'
    WHERE s.org_id IS NULL AND s.type = 'RolloutStarted' AND s.data->>'tool' = touched.name
      AND c.position <= to_position
      AND NOT EXISTS (SELECT FROM events b WHERE b.org_id IS NULL AND b.stream = s.stream
                       AND b.type = 'RolloutRolledBack' AND b.position <= to_position)
    ORDER BY s.position DESC LIMIT 1) ordered ON true
  LEFT JOIN LATERAL (
    SELECT type = 'ToolHalted' AS is_on FROM events
    WHERE stream = 'blueprint-' || touched.name AND type IN ('ToolHalted', 'ToolResumed') AND position <= to_position
    ORDER BY version DESC LIMIT 1) halt ON true
  CROSS JOIN LATERAL (  -- what is ordered, else what was published last
    SELECT (data->>'version')::int AS version, data->>'tier' AS tier, (data->>'asynchronous')::boolean AS asynchronous,
           data->>'definition_hash' AS definition_hash, (data->>'contract')::int AS contract,
           data #> '{document,function}' AS schema, data #>> '{document,server,url}' AS url,
           min(position) OVER () AS first
    FROM events
    WHERE stream = 'blueprint-' || touched.name AND type = 'BlueprintPublished' AND position <= to_position
    ORDER BY (data->>'version')::int = ordered.version DESC NULLS LAST, position DESC LIMIT 1) shown
  ON CONFLICT (name) DO UPDATE
    SET version = excluded.version, tier = excluded.tier, asynchronous = excluded.asynchronous, id = excluded.id,
        definition_hash = excluded.definition_hash, position = excluded.position, enabled = excluded.enabled,
        halted = excluded.halted, contract = excluded.contract, schema = excluded.schema,
        webhook_url = excluded.webhook_url, updated_at = excluded.updated_at
    WHERE t.position < excluded.position;
END $$;
UPDATE projections SET types = '{BlueprintPublished,ToolHalted,ToolResumed,RolloutStarted,RolloutCompleted,
  RolloutRolledBack}' WHERE name = 'system_tools';

-- The order that the clinic's tool follows, so that a paused or aborted one keeps whom it has reached.
ALTER TABLE org_tools ADD COLUMN rollout_id text;

CREATE OR REPLACE FUNCTION fold_org_tools(from_position bigint, to_position bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO org_tools AS t (id, org_id, tool_name, vapi_tool_id, enabled, account, definition_version,
                              definition_hash, created_at, updated_at, position, rollout_id)
  SELECT (array_agg(position ORDER BY position))[1], org_id, data->>'name',
         (array_agg(data->>'vapi_tool_id' ORDER BY position DESC))[1],
         (array_agg(type IN ('ToolRegistered', 'ToolUpdated', 'ToolReinstated') ORDER BY position DESC))[1],
         (array_agg(data->>'account' ORDER BY position DESC))[1],
         (array_agg((data->>'definition_version')::int ORDER BY position DESC))[1],
         (array_agg(data->>'definition_hash' ORDER BY position DESC))[1],
         min(recorded_at), max(recorded_at), max(position),
         (array_agg(data->>'order' ORDER BY position DESC) FILTER (WHERE data->>'order' IS NOT NULL))[1]
  FROM events
  WHERE position > from_position AND position <= to_position
    AND type IN ('ToolRegistered', 'ToolUpdated', 'ToolVanished', 'ToolRetired', 'ToolReinstated', 'ToolDeleted')
  GROUP BY org_id, data->>'name'
  ON CONFLICT (org_id, tool_name) DO UPDATE
    SET vapi_tool_id = excluded.vapi_tool_id, enabled = excluded.enabled, account = excluded.account,
        definition_version = excluded.definition_version, definition_hash = excluded.definition_hash,
        updated_at = excluded.updated_at, position = excluded.position,
        rollout_id = coalesce(excluded.rollout_id, t.rollout_id)
    WHERE t.position < excluded.position;
END $$;

-- Clinics whose tool Vapi refuses for good, so that a rollout does not wait for them. code null: it was taken since.
CREATE TABLE tool_refusals (
  org_id          uuid         NOT NULL,
  tool_name       varchar(255) NOT NULL,
  definition_hash text,
  code            text,
  position        bigint       NOT NULL,
  PRIMARY KEY (org_id, tool_name)
);

CREATE FUNCTION fold_tool_refusals(from_position bigint, to_position bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO tool_refusals AS r (org_id, tool_name, definition_hash, code, position)
  SELECT DISTINCT ON (org_id, name) org_id, name, data->>'definition_hash',
         CASE WHEN type = 'SyncAttemptFailed' THEN data->>'code' END, position
  FROM (SELECT org_id, type, data, position,
               CASE WHEN type = 'SyncAttemptFailed' THEN substr(data->>'subject', 6) ELSE data->>'name' END AS name
        FROM events
        WHERE position > from_position AND position <= to_position
          AND (type IN ('ToolRegistered', 'ToolUpdated')
               OR (type = 'SyncAttemptFailed' AND data->>'subject' LIKE 'tool:%' AND data->>'retry_at' IS NULL
                   AND data->>'definition_hash' IS NOT NULL AND coalesce((data->>'counted')::boolean, true)))) e
  WHERE type = 'SyncAttemptFailed'
     OR EXISTS (SELECT FROM tool_refusals k WHERE k.org_id = e.org_id AND k.tool_name = e.name)
     OR EXISTS (SELECT FROM events f WHERE f.org_id = e.org_id AND f.position > from_position
                 AND f.position < e.position AND f.type = 'SyncAttemptFailed' AND f.data->>'retry_at' IS NULL
                 AND f.data->>'definition_hash' IS NOT NULL AND coalesce((f.data->>'counted')::boolean, true)
                 AND f.data->>'subject' = 'tool:' || e.name)
  ORDER BY org_id, name, position DESC
  ON CONFLICT (org_id, tool_name) DO UPDATE
    SET definition_hash = excluded.definition_hash, code = excluded.code, position = excluded.position
    WHERE r.position < excluded.position;
END $$;

REVOKE ALL ON FUNCTION fold_tool_refusals(bigint, bigint) FROM PUBLIC;

SELECT fold_tool_refusals(0, (SELECT coalesce(max(position), 0) FROM events));
INSERT INTO projections (name, position, types)
VALUES ('tool_refusals', NULL, '{ToolRegistered,ToolUpdated,SyncAttemptFailed}');
ALTER TABLE tool_refusals ENABLE ROW LEVEL SECURITY;
ALTER TABLE tool_refusals FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON tool_refusals TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY service ON tool_refusals FOR SELECT TO tool_sync_service USING (true);
GRANT SELECT ON tool_refusals TO tool_sync_service;

-- A clinic's ring: the same number as `ring_of` in domain/fleet/state.py.
CREATE FUNCTION ring_of(id uuid) RETURNS int IMMUTABLE PARALLEL SAFE
  RETURN ('x' || substr(encode(sha256(id::text::bytea), 'hex'), 1, 8))::bit(32)::bigint % 10000;
REVOKE ALL ON FUNCTION ring_of(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ring_of(uuid) TO tool_sync_service;

-- Whose turn it is to feed clinics with a tool, and up to which change of the fleet every clinic is as decided.
CREATE TABLE fleet_turns (
  tool    text        PRIMARY KEY,
  token   uuid        NOT NULL,
  until   timestamptz NOT NULL,
  settled bigint      NOT NULL DEFAULT 0,
  waits   text
);
GRANT SELECT, INSERT, UPDATE ON fleet_turns TO tool_sync_service;

-- An order that makes a clinic get or lose a tool is work for all of it.
CREATE OR REPLACE FUNCTION fold_pending_syncs(from_position bigint, to_position bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO pending_syncs AS p (org_id, agent_id, requested, settled, save_requested)
  SELECT e.org_id, w.agent_id, max(w.requested), max(w.settled), max(w.save_requested)
  FROM events e CROSS JOIN LATERAL (
    SELECT CASE WHEN e.type = 'RequestUnreadable' THEN '?'
                WHEN e.type IN ('SyncRequested', 'AssistantSynced', 'AssistantSyncFailed')
                THEN coalesce(e.data->>'agent_id', '?') ELSE '' END,
           CASE WHEN e.type IN ('AssistantSynced', 'AssistantSyncFailed', 'OrgSettled') THEN 0 ELSE e.position END,
           coalesce((e.data->>'settled_through')::bigint, 0),
           CASE WHEN e.type = 'RequestUnreadable' OR (e.type = 'SyncRequested' AND e.data->>'cause' <> 'auto_sync')
                THEN e.position ELSE 0 END
  ) AS w (agent_id, requested, settled, save_requested)
  WHERE e.position > from_position AND e.position <= to_position
    AND e.type IN ('SyncRequested', 'RequestUnreadable', 'OrgTierChanged', 'ToolSettingChanged', 'ToolSettingRemoved',
                   'ToolOrdered', 'RetryRequested', 'AssistantRemoved', 'OrgClosed', 'ToolVanished', 'SurplusFound',
                   'TrafficSplitSeen', 'ToolDriftSeen', 'AssistantDriftSeen', 'AssistantSynced', 'AssistantSyncFailed',
                   'OrgSettled')
  GROUP BY e.org_id, w.agent_id
  ON CONFLICT (org_id, agent_id) DO UPDATE
    SET requested = greatest(p.requested, excluded.requested), settled = greatest(p.settled, excluded.settled),
        save_requested = greatest(p.save_requested, excluded.save_requested);
END $$;
UPDATE projections SET types = types || '{ToolOrdered}' WHERE name = 'pending_syncs';

-- What was published before orders were is shown as published, and enabled by the first start's orders.
UPDATE system_tools SET position = 0;
SELECT fold_system_tools(0, (SELECT coalesce(max(position), 0) FROM events));

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
