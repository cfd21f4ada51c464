-- migrate:up
-- Every assistant and every tool of ours is looked at again at least once in a period (ADR 41).

-- When each was last looked at: kind 'assistant' (name: the agent's id) or 'tool' (its name). vapi_id: the object that
-- was looked at; a look at the one before it says nothing of this one. looked_at is, until the first look, when the
-- object was first heard of here. suspected_at: a list showed it otherwise than it should be, and it was not read since.
CREATE TABLE object_looks (
  kind         text        NOT NULL CHECK (kind IN ('assistant', 'tool')),
  org_id       uuid        NOT NULL,
  name         text        NOT NULL,
  vapi_id      text        NOT NULL,
  looked_at    timestamptz NOT NULL,
  suspected_at timestamptz,
  tried_at     timestamptz,
  PRIMARY KEY (kind, org_id, name)
) WITH (fillfactor = 70);
CREATE INDEX object_looks_age ON object_looks (looked_at);
CREATE INDEX object_looks_suspected ON object_looks (kind) WHERE suspected_at IS NOT NULL;

-- Where the walk through an account's list stands. bounds: the windows of createdAt that it reads, oldest first, each
-- [begin, number of objects found]; at: the next one. token: whoever reads a page now, until next_at.
CREATE TABLE vapi_walks (
  account     text        NOT NULL,
  kind        text        NOT NULL CHECK (kind IN ('assistant', 'tool')),
  bounds      jsonb       NOT NULL DEFAULT '[[null, 0]]',
  at          int         NOT NULL DEFAULT 0,
  page_limit  int         NOT NULL DEFAULT 1000,
  next_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  token       uuid,
  finished_at timestamptz,  -- when the newest walk through the whole list ended; null: none has yet
  PRIMARY KEY (account, kind)
);

ALTER TABLE object_looks ENABLE ROW LEVEL SECURITY;
ALTER TABLE object_looks FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON object_looks TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY service ON object_looks TO tool_sync_service USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON object_looks, vapi_walks TO tool_sync_service;

-- A drift that was seen is work for the org, like a traffic split.
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
                   'RetryRequested', 'AssistantRemoved', 'OrgClosed', 'ToolVanished', 'SurplusFound',
                   'TrafficSplitSeen', 'ToolDriftSeen', 'AssistantDriftSeen', 'AssistantSynced', 'AssistantSyncFailed',
                   'OrgSettled')
  GROUP BY e.org_id, w.agent_id
  ON CONFLICT (org_id, agent_id) DO UPDATE
    SET requested = greatest(p.requested, excluded.requested), settled = greatest(p.settled, excluded.settled),
        save_requested = greatest(p.save_requested, excluded.save_requested);
END $$;
UPDATE projections SET types = types || '{AssistantDriftSeen}' WHERE name = 'pending_syncs';

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
