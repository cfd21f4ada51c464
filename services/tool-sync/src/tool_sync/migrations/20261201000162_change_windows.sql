-- migrate:up
-- When a clinic lets orders change its tools (ADR 44): its window, its time zone, and what it keeps until then.

-- Under the append lock, taken before any table's: what is appended between a fold and its row in projections would be
-- folded by nobody.
SELECT pg_advisory_xact_lock(7311);

-- One row per clinic that ever had a window, or a time zone that was named. The window's columns are null where the
-- newest word takes it back. Each half has its own position: they come by different events.
CREATE TABLE org_change_windows (
  org_id        uuid        PRIMARY KEY,
  opens         text,
  closes        text,
  changed_at    timestamptz,
  actor         text        NOT NULL DEFAULT '',
  reason        text,
  position      bigint      NOT NULL DEFAULT 0,
  time_zone     text        NOT NULL DEFAULT 'UTC',
  zone_position bigint      NOT NULL DEFAULT 0
);

CREATE FUNCTION fold_org_change_windows(from_position bigint, to_position bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  -- A clinic that was deleted and made anew begins without a window.
  INSERT INTO org_change_windows AS w (org_id, opens, closes, changed_at, actor, reason, position)
  SELECT DISTINCT ON (e.org_id) e.org_id, e.data->>'opens', e.data->>'closes', e.recorded_at,
         coalesce(e.meta->>'actor', ''), e.data->>'reason', e.position
  FROM events e
  WHERE e.position > from_position AND e.position <= to_position
    AND (e.type IN ('ChangeWindowSet', 'ChangeWindowRemoved')
         OR (e.type = 'OrgClosed'
             AND EXISTS (SELECT FROM events f WHERE f.org_id = e.org_id AND f.type = 'ChangeWindowSet'
                          AND f.position < e.position)))
  ORDER BY e.org_id, e.position DESC
  ON CONFLICT (org_id) DO UPDATE
    SET opens = excluded.opens, closes = excluded.closes, changed_at = excluded.changed_at, actor = excluded.actor,
        reason = excluded.reason, position = excluded.position
    WHERE w.position < excluded.position;
  INSERT INTO org_change_windows AS w (org_id, time_zone, zone_position)
  SELECT DISTINCT ON (e.org_id) e.org_id, coalesce(e.data->>'time_zone', 'UTC'), e.position
  FROM events e
  WHERE e.position > from_position AND e.position <= to_position
    AND (e.type IN ('OrgRegistered', 'OrgTierChanged') AND e.data->>'time_zone' IS NOT NULL
         OR e.type = 'OrgRegistered'
            AND EXISTS (SELECT FROM events f WHERE f.org_id = e.org_id AND f.position < e.position
                         AND f.type IN ('OrgRegistered', 'OrgTierChanged') AND f.data->>'time_zone' IS NOT NULL))
  ORDER BY e.org_id, e.position DESC
  ON CONFLICT (org_id) DO UPDATE SET time_zone = excluded.time_zone, zone_position = excluded.zone_position
    WHERE w.zone_position < excluded.zone_position;
END $$;
REVOKE ALL ON FUNCTION fold_org_change_windows(bigint, bigint) FROM PUBLIC;
INSERT INTO projections (name, position, types)
VALUES ('org_change_windows', NULL, '{ChangeWindowSet,ChangeWindowRemoved,OrgRegistered,OrgTierChanged,OrgClosed}');

GRANT SELECT ON org_change_windows TO tool_sync_service, tool_sync_tenant;
ALTER TABLE org_change_windows ENABLE ROW LEVEL SECURITY;
ALTER TABLE org_change_windows FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON org_change_windows TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY service ON org_change_windows FOR SELECT TO tool_sync_service USING (true);
CREATE POLICY tenant ON org_change_windows FOR SELECT TO tool_sync_tenant
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

-- The definition that the clinic had last, unless an order has taken the tool from it, or it needed it no longer: what
-- it gets back while its window is closed. '' where there is none.
ALTER TABLE org_tools ADD COLUMN kept_hash text NOT NULL DEFAULT '';
-- It is unlinked, and not deleted yet: wanted again with the same definition, it is only linked.
ALTER TABLE org_tools ADD COLUMN is_retired boolean NOT NULL DEFAULT false;

CREATE OR REPLACE FUNCTION fold_org_tools(from_position bigint, to_position bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO org_tools AS t (id, org_id, tool_name, vapi_tool_id, enabled, account, definition_version,
                              definition_hash, created_at, updated_at, position, rollout_id, is_retired, kept_hash)
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
                  max(p.kept_hash), '')
  FROM events e LEFT JOIN org_tools p ON p.org_id = e.org_id AND p.tool_name = e.data->>'name'
  WHERE e.position > from_position AND e.position <= to_position
    AND e.type IN ('ToolRegistered', 'ToolUpdated', 'ToolVanished', 'ToolRetired', 'ToolReinstated', 'ToolDeleted')
  GROUP BY e.org_id, e.data->>'name'
  ON CONFLICT (org_id, tool_name) DO UPDATE
    SET vapi_tool_id = excluded.vapi_tool_id, enabled = excluded.enabled, account = excluded.account,
        definition_version = excluded.definition_version, definition_hash = excluded.definition_hash,
        updated_at = excluded.updated_at, position = excluded.position,
        rollout_id = coalesce(excluded.rollout_id, t.rollout_id), is_retired = excluded.is_retired,
        kept_hash = excluded.kept_hash
    WHERE t.position < excluded.position;
END $$;

UPDATE org_tools t SET
  is_retired = (SELECT e.type = 'ToolRetired' FROM events e WHERE e.position = t.position),
  kept_hash = CASE WHEN t.enabled THEN t.definition_hash ELSE coalesce((
  SELECT CASE WHEN e.type = 'ToolRetired' THEN '' ELSE e.data->>'definition_hash' END
  FROM events e
  WHERE e.org_id = t.org_id AND e.data->>'name' = t.tool_name
    AND (e.type IN ('ToolRegistered', 'ToolUpdated', 'ToolReinstated')
         OR (e.type = 'ToolRetired' AND e.data->>'reason' IN ('order', 'closed', 'unused')))
  ORDER BY e.position DESC LIMIT 1), '') END;

-- Clinics that wait for their window, as of the feeder's last walk, and the one that opens first: when the feeder looks
-- again, and what people are told.
ALTER TABLE fleet_turns
  ADD COLUMN windows_closed int NOT NULL DEFAULT 0,
  ADD COLUMN opens_at timestamptz,
  ADD COLUMN opens_in text;  -- its time zone

-- A window that is set or taken back may let something come at once, and a pin, made or taken back, gives or takes a
-- tool: work for the whole org. A pin's end by time is written by the run that does the work, whose lease keeps it due:
-- were it requested here, settling it would settle what arrived just before it, too, which that run has not read.
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
                   'ToolPinned', 'ToolUnpinned', 'ChangeWindowSet', 'ChangeWindowRemoved', 'ToolOrdered',
                   'RetryRequested', 'AssistantRemoved', 'OrgClosed', 'ToolVanished', 'SurplusFound', 'TrafficSplitSeen',
                   'ToolDriftSeen', 'AssistantDriftSeen', 'AssistantSynced', 'AssistantSyncFailed', 'OrgSettled')
  GROUP BY e.org_id, w.agent_id
  ON CONFLICT (org_id, agent_id) DO UPDATE
    SET requested = greatest(p.requested, excluded.requested), settled = greatest(p.settled, excluded.settled),
        save_requested = greatest(p.save_requested, excluded.save_requested);
END $$;
UPDATE projections SET types = types || '{ToolPinned,ToolUnpinned,ChangeWindowSet,ChangeWindowRemoved}'
WHERE name = 'pending_syncs';

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
