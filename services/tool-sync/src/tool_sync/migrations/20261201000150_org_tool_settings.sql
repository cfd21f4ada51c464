-- migrate:up
-- What a clinic, or an operator for it, has set for one of its tools: who said it, when and why. One row per tool that
-- was ever set. enabled is null where the newest word takes the setting back; the row stays, as an older range that is
-- folded again must find the newer position.
CREATE TABLE org_tool_settings (
  org_id        uuid         NOT NULL,
  tool_name     varchar(255) NOT NULL,
  enabled       boolean,
  custom_config jsonb        NOT NULL DEFAULT '{}',  -- what the tool's version declares open; none declares anything yet
  changed_at    timestamptz  NOT NULL,
  actor         text         NOT NULL,
  reason        text,
  position      bigint       NOT NULL,
  PRIMARY KEY (org_id, tool_name)
);

CREATE FUNCTION fold_org_tool_settings(from_position bigint, to_position bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO org_tool_settings AS s (org_id, tool_name, enabled, changed_at, actor, reason, position)
  SELECT DISTINCT ON (org_id, data->>'name')
         org_id, data->>'name', (data->>'enabled')::boolean, recorded_at, coalesce(meta->>'actor', ''),
         data->>'reason', position
  FROM events
  WHERE position > from_position AND position <= to_position
    AND type IN ('ToolSettingChanged', 'ToolSettingRemoved')
  ORDER BY org_id, data->>'name', position DESC
  ON CONFLICT (org_id, tool_name) DO UPDATE
    SET enabled = excluded.enabled, changed_at = excluded.changed_at, actor = excluded.actor, reason = excluded.reason,
        position = excluded.position
    WHERE s.position < excluded.position;
END $$;

-- A setting that is taken back is work for the whole org, as one that is made.
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
                   'TrafficSplitSeen', 'ToolDriftSeen', 'AssistantSynced', 'AssistantSyncFailed', 'OrgSettled')
  GROUP BY e.org_id, w.agent_id
  ON CONFLICT (org_id, agent_id) DO UPDATE
    SET requested = greatest(p.requested, excluded.requested), settled = greatest(p.settled, excluded.settled),
        save_requested = greatest(p.save_requested, excluded.save_requested);
END $$;

-- Under the append lock: what is appended between the first fold and the row in projections would be folded by nobody.
SELECT pg_advisory_xact_lock(7311);
SELECT fold_org_tool_settings(0, (SELECT coalesce(max(position), 0) FROM events));
INSERT INTO projections (name, position, types)
VALUES ('org_tool_settings', NULL, '{ToolSettingChanged,ToolSettingRemoved}');
UPDATE projections SET types = array_append(types, 'ToolSettingRemoved') WHERE name = 'pending_syncs';

-- What changed for a clinic's tools: few of its events. events_tool_settings stays for replicas of the release before.
CREATE INDEX events_tool_changes ON events (org_id, position)
 WHERE type IN ('ToolSettingChanged', 'ToolSettingRemoved', 'ToolRegistered', 'ToolUpdated', 'ToolRetired',
                'ToolReinstated', 'ToolDeleted', 'ToolVanished');

REVOKE ALL ON FUNCTION fold_org_tool_settings(bigint, bigint) FROM PUBLIC;
GRANT SELECT ON org_tool_settings TO tool_sync_service, tool_sync_tenant;
ALTER TABLE org_tool_settings ENABLE ROW LEVEL SECURITY;
ALTER TABLE org_tool_settings FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON org_tool_settings TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY service ON org_tool_settings TO tool_sync_service USING (true) WITH CHECK (true);
CREATE POLICY tenant ON org_tool_settings FOR SELECT TO tool_sync_tenant
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
