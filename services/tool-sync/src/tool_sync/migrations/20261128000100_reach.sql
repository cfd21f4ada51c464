-- migrate:up
-- What stands between an assistant's callers and its tools, and lives that begin anew under an old id.

ALTER TABLE assistants
  ADD COLUMN settled_assistant_id text,  -- the one that its newest outcome is about
  ADD COLUMN removed_revision bigint,  -- the newest one of its life before, if known: outcomes up to it are of that life
  ADD COLUMN split            jsonb,   -- the newest TrafficSplitSeen: its assistant, and the versions that get calls
  ADD COLUMN linked_version   text;    -- Vapi's label of the version that our last write made

-- A row is fed by eight types of event: found are the newest event of each kind, then the row is written once.
-- `removed` depends on the order of saves and removals: a removal counts if it names the assistant of its time (or
-- none) or is of a revision not below the row's, until a save brings another assistant, or a revision above the
-- removal's: an agent made anew under its id.
-- Where the row names no assistant yet, a removal names it.
CREATE OR REPLACE FUNCTION fold_assistants(from_position bigint, to_position bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  WITH e AS MATERIALIZED (
    SELECT org_id, data->>'agent_id' AS agent_id, position, type, data, data->>'assistant_id' AS assistant_id,
           CASE type WHEN 'AssistantRemoved' THEN (data->>'revision')::bigint END AS through,
           CASE type WHEN 'AssistantRemoved' THEN (
             SELECT s.data FROM events s  -- the newest save before it in the range
             WHERE s.position > from_position AND s.position < events.position AND s.type = 'SyncRequested'
               AND s.org_id = events.org_id AND s.data->>'agent_id' = events.data->>'agent_id'
             ORDER BY s.position DESC LIMIT 1) END AS before
    FROM events
    WHERE position > from_position AND position <= to_position AND data->>'agent_id' IS NOT NULL
      AND type IN ('SyncRequested', 'AssistantRemoved', 'AssistantLinked', 'AssistantSynced', 'AssistantSyncFailed',
                   'AssistantDiverged', 'DriftDetected', 'TrafficSplitSeen')
  ), newest AS (
    SELECT org_id, agent_id, max(position) AS position,
           max(position) FILTER (WHERE type = 'SyncRequested') AS save_at,
           max(position) FILTER (WHERE type = 'AssistantLinked') AS link_at,
           max(position) FILTER (WHERE type IN ('AssistantSynced', 'AssistantSyncFailed')) AS outcome_at,
           max(position) FILTER (WHERE type = 'AssistantDiverged') AS diverged_at,
           max(position) FILTER (WHERE type = 'DriftDetected') AS drift_at,
           max(position) FILTER (WHERE type = 'AssistantRemoved') AS removal_at,
           max(position) FILTER (WHERE type = 'TrafficSplitSeen') AS split_at,
           jsonb_agg(jsonb_build_array(data->'revision', data->'model_hash') ORDER BY position)
             FILTER (WHERE type = 'SyncRequested') AS saved
    FROM e GROUP BY org_id, agent_id
  )
  INSERT INTO assistants AS a (org_id, agent_id, assistant_id, revision, saved, base_hash, model_hash,
      linked_revision, linked, synced_tools, outcome, code, look_at, settled_revision, settled_assistant_id,
      diverged_revision, drift_hash, removed, removed_revision, split, linked_version, position)
  SELECT n.org_id, n.agent_id, coalesce(save.data->>'assistant_id', first.assistant_id),
         coalesce((save.data->>'revision')::bigint, old.revision),
         CASE WHEN n.saved IS NULL THEN coalesce(old.saved, '[]')
              ELSE keep_saved(coalesce(old.saved, '[]'), n.saved) END,
         coalesce(link.data->>'base_hash', old.base_hash),
         coalesce(link.data->>'model_hash', old.model_hash),
         coalesce((link.data->>'revision')::bigint, old.linked_revision),
         coalesce(link.data->'tools', old.linked),
         coalesce(done.data->'tools', old.synced_tools),
         CASE done.type WHEN 'AssistantSynced' THEN 'synced' WHEN 'AssistantSyncFailed' THEN 'failed'
                        ELSE old.outcome END,
         CASE WHEN done.position IS NULL THEN old.code ELSE coalesce(done.data->>'code', done.data->>'reason') END,
         CASE WHEN done.position IS NULL THEN old.look_at ELSE (done.data->>'look_at')::timestamptz END,
         CASE WHEN done.position IS NULL THEN old.settled_revision ELSE (done.data->>'revision')::bigint END,
         CASE WHEN done.position IS NULL THEN old.settled_assistant_id ELSE done.data->>'assistant_id' END,
         coalesce((diverged.data->>'revision')::bigint, old.diverged_revision),
         coalesce(drift.data->>'model_hash', old.drift_hash),
         removal.removed AND NOT anew.anew,
         CASE WHEN last.position IS NULL THEN old.removed_revision ELSE last.revision END,
         coalesce(split.data, old.split),
         CASE WHEN link.position IS NULL THEN old.linked_version ELSE link.data->>'vapi_version' END, n.position
  FROM newest n
  LEFT JOIN assistants old ON old.org_id = n.org_id AND old.agent_id = n.agent_id
  LEFT JOIN events save ON save.position = n.save_at
  LEFT JOIN events link ON link.position = n.link_at
  LEFT JOIN events done ON done.position = n.outcome_at
  LEFT JOIN events diverged ON diverged.position = n.diverged_at
  LEFT JOIN events drift ON drift.position = n.drift_at
  LEFT JOIN events split ON split.position = n.split_at
  -- The assistant before the first save of the range.
  CROSS JOIN LATERAL (SELECT CASE WHEN old.assistant_id IS NOT NULL OR n.removal_at IS NULL THEN old.assistant_id ELSE (
    SELECT e.assistant_id FROM e
    WHERE e.org_id = n.org_id AND e.agent_id = n.agent_id AND e.type = 'AssistantRemoved'
      AND e.assistant_id IS NOT NULL
      AND e.position < coalesce((SELECT min(s.position) FROM e s WHERE s.org_id = n.org_id
                                  AND s.agent_id = n.agent_id AND s.type = 'SyncRequested'), n.position + 1)
    ORDER BY e.position LIMIT 1) END) AS first (assistant_id)
  CROSS JOIN LATERAL (SELECT CASE WHEN n.removal_at IS NULL AND NOT coalesce(old.removed, false) THEN false ELSE (
    SELECT (s.since IS NULL AND coalesce(old.removed, false)) OR EXISTS (
      SELECT FROM e
      WHERE e.org_id = n.org_id AND e.agent_id = n.agent_id AND e.type = 'AssistantRemoved'
        AND e.position > coalesce(s.since, 0)
        AND (e.assistant_id IS NULL OR e.assistant_id = coalesce(save.data->>'assistant_id', first.assistant_id)
             OR e.through >= coalesce((e.before->>'revision')::bigint, old.revision)))
    FROM (SELECT max(c.position) FROM (
            SELECT e.position, e.assistant_id,
                   lag(e.assistant_id, 1, first.assistant_id) OVER (ORDER BY e.position) AS before
            FROM e WHERE e.org_id = n.org_id AND e.agent_id = n.agent_id AND e.type = 'SyncRequested') c
          WHERE c.assistant_id IS DISTINCT FROM c.before) AS s (since)) END) AS removal (removed)
  LEFT JOIN LATERAL (
    SELECT e.position, (e.data->>'revision')::bigint AS revision FROM e
    WHERE n.removal_at IS NOT NULL
      AND e.org_id = n.org_id AND e.agent_id = n.agent_id AND e.type = 'AssistantRemoved'
      AND (e.assistant_id IS NULL OR e.assistant_id = coalesce(e.before->>'assistant_id', first.assistant_id)
           OR e.through >= coalesce((e.before->>'revision')::bigint, old.revision))
    ORDER BY e.position DESC LIMIT 1) AS last ON true
  CROSS JOIN LATERAL (SELECT removal.removed AND EXISTS (
    SELECT FROM e
    WHERE e.org_id = n.org_id AND e.agent_id = n.agent_id AND e.type = 'SyncRequested'
      AND e.position > coalesce(last.position, 0)
      AND (e.data->>'revision')::bigint
          > CASE WHEN last.position IS NULL THEN old.removed_revision ELSE last.revision END)) AS anew (anew)
  ON CONFLICT (org_id, agent_id) DO UPDATE
    SET assistant_id = excluded.assistant_id, revision = excluded.revision, saved = excluded.saved,
        base_hash = excluded.base_hash, model_hash = excluded.model_hash,
        linked_revision = excluded.linked_revision, linked = excluded.linked,
        synced_tools = excluded.synced_tools, outcome = excluded.outcome, code = excluded.code,
        look_at = excluded.look_at, settled_revision = excluded.settled_revision,
        settled_assistant_id = excluded.settled_assistant_id,
        diverged_revision = excluded.diverged_revision, drift_hash = excluded.drift_hash, removed = excluded.removed, removed_revision = excluded.removed_revision, split = excluded.split,
        linked_version = excluded.linked_version, position = excluded.position
    WHERE a.position < excluded.position;
END $$;


CREATE OR REPLACE FUNCTION fold_organizations(from_position bigint, to_position bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO organizations AS o (id, tier, closed, created_at, updated_at, position)
  SELECT e.org_id,
         coalesce((array_agg(e.data->>'tier' ORDER BY e.position DESC)
                     FILTER (WHERE e.type IN ('OrgRegistered', 'OrgTierChanged')))[1], p.tier, 'basic'),
         coalesce((array_agg(e.type = 'OrgClosed' ORDER BY e.position DESC)
                     FILTER (WHERE e.type IN ('OrgRegistered', 'OrgClosed')))[1], p.closed, false),
         min(e.recorded_at), max(e.recorded_at), max(e.position)
  FROM events e LEFT JOIN organizations p ON p.id = e.org_id
  WHERE e.position > from_position AND e.position <= to_position AND left(e.stream, 4) = 'org-'
    AND (e.version = 1 OR e.type IN ('OrgRegistered', 'OrgTierChanged', 'OrgClosed'))
  GROUP BY e.org_id, p.id
  ON CONFLICT (id) DO UPDATE
    SET tier = excluded.tier, closed = excluded.closed, updated_at = excluded.updated_at, position = excluded.position
    WHERE o.position < excluded.position;
END $$;

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
    AND e.type IN ('SyncRequested', 'RequestUnreadable', 'OrgTierChanged', 'ToolSettingChanged', 'RetryRequested',
                   'AssistantRemoved', 'OrgClosed', 'ToolVanished', 'SurplusFound', 'TrafficSplitSeen', 'ToolDriftSeen', 'AssistantSynced',
                   'AssistantSyncFailed', 'OrgSettled')
  GROUP BY e.org_id, w.agent_id
  ON CONFLICT (org_id, agent_id) DO UPDATE
    SET requested = greatest(p.requested, excluded.requested), settled = greatest(p.settled, excluded.settled),
        save_requested = greatest(p.save_requested, excluded.save_requested);
END $$;

UPDATE projections SET types = types || '{TrafficSplitSeen}' WHERE name = 'assistants';
UPDATE projections SET types = types || '{TrafficSplitSeen,ToolDriftSeen}' WHERE name = 'pending_syncs';

-- A cache: what a read showed of a tool that an assistant names and the log does not know. Of no org: whose tool it is
-- is just what it says.
CREATE TABLE named_tools (
  account         text        NOT NULL,
  vapi_tool_id    text        NOT NULL,
  present         boolean     NOT NULL,
  name            text,
  installation_id uuid,
  org_id          uuid,
  read_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (account, vapi_tool_id)
);
CREATE INDEX named_tools_age ON named_tools (read_at);

-- When what was last looked at, off the path of saves: an assistant's traffic split, an org's own tools (agent_id ''),
-- and an account (the nil UUID) whose key may not read splits.
CREATE TABLE vapi_looks (
  kind      text        NOT NULL,
  org_id    uuid        NOT NULL,
  agent_id  text        NOT NULL,
  looked_at timestamptz NOT NULL,
  PRIMARY KEY (kind, org_id, agent_id)
) WITH (fillfactor = 70);

GRANT SELECT, INSERT, UPDATE, DELETE ON named_tools, vapi_looks TO tool_sync_service;
ALTER TABLE vapi_looks ENABLE ROW LEVEL SECURITY;
ALTER TABLE vapi_looks FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON vapi_looks TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY service ON vapi_looks TO tool_sync_service USING (true) WITH CHECK (true);

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
