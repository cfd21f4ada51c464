-- migrate:up
-- A clinic's own words for parts of its tools (ADR 58): the log has hashes, org_tool_texts the texts, by hash.

-- Under the append lock, as in 20261201000160.
SELECT pg_advisory_xact_lock(7311);

-- No projection: it holds what the log does not. A text stays until its clinic is deleted, as a write of long ago may be
-- judged by what was sent.
CREATE TABLE org_tool_texts (
  org_id    uuid        NOT NULL,
  hash      text        NOT NULL,
  text      jsonb       NOT NULL,  -- a string, or a list of messages
  stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (org_id, hash)
);

-- False, and nothing is stored, for a clinic that is not there or was deleted. Its row is locked until the end of this
-- one statement: a deletion that comes then deletes these texts, too, and one that was first is seen.
CREATE FUNCTION keep_tool_texts(org uuid, hashes text[], texts text[]) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  PERFORM FROM organizations WHERE id = org AND NOT closed FOR SHARE;
  IF NOT FOUND THEN RETURN false; END IF;
  INSERT INTO org_tool_texts (org_id, hash, text)
  SELECT org, u.hash, u.text::jsonb FROM unnest(hashes, texts) AS u (hash, text) ORDER BY u.hash
  ON CONFLICT (org_id, hash) DO NOTHING;
  RETURN true;
END $$;

CREATE FUNCTION forget_tool_texts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM org_tool_texts WHERE org_id = NEW.id;
  RETURN NULL;
END $$;
CREATE TRIGGER forget_tool_texts AFTER INSERT OR UPDATE OF closed ON organizations
  FOR EACH ROW WHEN (NEW.closed) EXECUTE FUNCTION forget_tool_texts();

REVOKE ALL ON FUNCTION keep_tool_texts(uuid, text[], text[]), forget_tool_texts() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keep_tool_texts(uuid, text[], text[]) TO tool_sync_service;
GRANT SELECT ON org_tool_texts TO tool_sync_service, tool_sync_tenant;
ALTER TABLE org_tool_texts ENABLE ROW LEVEL SECURITY;
ALTER TABLE org_tool_texts FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON org_tool_texts TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY service ON org_tool_texts FOR SELECT TO tool_sync_service USING (true);
CREATE POLICY tenant ON org_tool_texts FOR SELECT TO tool_sync_tenant
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

COMMENT ON COLUMN org_tool_settings.custom_config IS
  'By part: hash and characters of the text in org_tool_texts; lost: a run found that it is not stored any more';

CREATE OR REPLACE FUNCTION fold_org_tool_settings(from_position bigint, to_position bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO org_tool_settings AS s (org_id, tool_name, enabled, custom_config, changed_at, actor, reason, position)
  SELECT DISTINCT ON (org_id, data->>'name')
         org_id, data->>'name', (data->>'enabled')::boolean,
         coalesce((SELECT jsonb_object_agg(p->>'part', p - 'part') FROM jsonb_array_elements(data->'parts') p), '{}'),
         recorded_at, coalesce(meta->>'actor', ''), data->>'reason', position
  FROM events
  WHERE position > from_position AND position <= to_position
    AND type IN ('ToolSettingChanged', 'ToolSettingRemoved', 'ToolCustomized')
  ORDER BY org_id, data->>'name', position DESC
  ON CONFLICT (org_id, tool_name) DO UPDATE
    SET enabled = excluded.enabled, custom_config = excluded.custom_config, changed_at = excluded.changed_at,
        actor = excluded.actor, reason = excluded.reason, position = excluded.position
    WHERE s.position < excluded.position;

  -- What came after the setting alone, so that ranges may be cut anywhere. With the clinic its words go.
  UPDATE org_tool_settings s SET custom_config = '{}'
  FROM events e
  WHERE e.position > from_position AND e.position <= to_position AND e.type = 'OrgClosed'
    AND s.org_id = e.org_id AND s.position < e.position AND s.custom_config <> '{}';

  UPDATE org_tool_settings s SET custom_config = (
    SELECT jsonb_object_agg(p.key, CASE WHEN lost.hashes ? (p.value->>'hash')
                                        THEN p.value || '{"lost": true}' ELSE p.value END)
    FROM jsonb_each(s.custom_config) p)
  FROM (SELECT e.org_id, e.data->>'name' AS name, jsonb_agg(h.hash) AS hashes
          FROM events e JOIN org_tool_settings k ON k.org_id = e.org_id AND k.tool_name = e.data->>'name'
                                                AND k.position < e.position
         CROSS JOIN LATERAL jsonb_array_elements(e.data->'hashes') AS h (hash)
         WHERE e.position > from_position AND e.position <= to_position AND e.type = 'ToolTextLost'
         GROUP BY 1, 2) lost
  WHERE s.org_id = lost.org_id AND s.tool_name = lost.name AND s.custom_config <> '{}';
END $$;
UPDATE projections SET types = types || '{ToolCustomized,ToolTextLost,OrgClosed}' WHERE name = 'org_tool_settings';

-- The words that the tool's newest write has brought to Vapi, as the event has them.
ALTER TABLE org_tools ADD COLUMN overlay jsonb NOT NULL DEFAULT '[]';

CREATE OR REPLACE FUNCTION fold_org_tools(from_position bigint, to_position bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO org_tools AS t (id, org_id, tool_name, vapi_tool_id, enabled, account, definition_version,
                              definition_hash, created_at, updated_at, position, rollout_id, is_retired, kept_hash, overlay)
  SELECT (array_agg(e.position ORDER BY e.position))[1], e.org_id, e.data->>'name',
         (array_agg(e.data->>'vapi_tool_id' ORDER BY e.position DESC))[1],
         (array_agg(e.type IN ('ToolRegistered', 'ToolUpdated', 'ToolReinstated') ORDER BY e.position DESC))[1],
         (array_agg(e.data->>'account' ORDER BY e.position DESC))[1],
         (array_agg((e.data->>'definition_version')::int ORDER BY e.position DESC))[1],
         (array_agg(e.data->>'definition_hash' ORDER BY e.position DESC))[1],
         min(e.recorded_at), max(e.recorded_at), max(e.position),
         (array_agg(e.data->>'order' ORDER BY e.position DESC) FILTER (WHERE e.data->>'order' IS NOT NULL))[1],
         (array_agg(e.type = 'ToolRetired' ORDER BY e.position DESC))[1],
         coalesce((array_agg(CASE WHEN e.type = 'ToolRetired' THEN '' ELSE e.data->>'definition_hash' END
                             ORDER BY e.position DESC)
                     FILTER (WHERE e.type IN ('ToolRegistered', 'ToolUpdated', 'ToolReinstated')
                                OR (e.type = 'ToolRetired' AND e.data->>'reason' IN ('order', 'closed', 'unused'))))[1],
                  max(p.kept_hash), ''),
         coalesce((array_agg(coalesce(e.data->'overlay', '[]') ORDER BY e.position DESC)
                     FILTER (WHERE e.type IN ('ToolRegistered', 'ToolUpdated')))[1],
                  (array_agg(p.overlay))[1], '[]')
  FROM events e LEFT JOIN org_tools p ON p.org_id = e.org_id AND p.tool_name = e.data->>'name'
  WHERE e.position > from_position AND e.position <= to_position
    AND e.type IN ('ToolRegistered', 'ToolUpdated', 'ToolVanished', 'ToolRetired', 'ToolReinstated', 'ToolDeleted')
  GROUP BY e.org_id, e.data->>'name'
  ON CONFLICT (org_id, tool_name) DO UPDATE
    SET vapi_tool_id = excluded.vapi_tool_id, enabled = excluded.enabled, account = excluded.account,
        definition_version = excluded.definition_version, definition_hash = excluded.definition_hash,
        updated_at = excluded.updated_at, position = excluded.position,
        rollout_id = coalesce(excluded.rollout_id, t.rollout_id), is_retired = excluded.is_retired,
        kept_hash = excluded.kept_hash, overlay = excluded.overlay
    WHERE t.position < excluded.position;
END $$;

-- Words that a clinic sets are waited for like a save.
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
           CASE WHEN e.type IN ('RequestUnreadable', 'ToolCustomized')
                     OR (e.type = 'SyncRequested' AND e.data->>'cause' <> 'auto_sync')
                THEN e.position ELSE 0 END
  ) AS w (agent_id, requested, settled, save_requested)
  WHERE e.position > from_position AND e.position <= to_position
    AND e.type IN ('SyncRequested', 'RequestUnreadable', 'OrgTierChanged', 'ToolSettingChanged', 'ToolSettingRemoved',
                   'ToolCustomized', 'ToolPinned', 'ToolUnpinned', 'ChangeWindowSet', 'ChangeWindowRemoved', 'ToolOrdered',
                   'RetryRequested', 'AssistantRemoved', 'OrgClosed', 'ToolVanished', 'SurplusFound',
                   'TrafficSplitSeen', 'ToolDriftSeen', 'AssistantDriftSeen', 'AssistantSynced', 'AssistantSyncFailed', 'OrgSettled')
  GROUP BY e.org_id, w.agent_id
  ON CONFLICT (org_id, agent_id) DO UPDATE
    SET requested = greatest(p.requested, excluded.requested), settled = greatest(p.settled, excluded.settled),
        save_requested = greatest(p.save_requested, excluded.save_requested);
END $$;
UPDATE projections SET types = types || '{ToolCustomized}' WHERE name = 'pending_syncs';

-- As events_tool_changes_and_drift, which stays for replicas of the release before.
CREATE INDEX events_tool_changes_and_words ON events (org_id, position)
 WHERE type IN ('ToolSettingChanged', 'ToolSettingRemoved', 'ToolRegistered', 'ToolUpdated', 'ToolRetired',
                'ToolReinstated', 'ToolDeleted', 'ToolVanished', 'ToolPinned', 'ToolUnpinned', 'ToolPinExpired',
                'ToolDriftSeen', 'ToolDriftEnded', 'ToolCustomized', 'ToolTextLost');

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
