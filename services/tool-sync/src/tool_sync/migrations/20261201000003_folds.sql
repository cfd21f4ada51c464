-- migrate:up
-- One function per projection. Each is one statement over a range of positions, from (exclusive) to (inclusive); a
-- range folded twice changes nothing. Table names are not qualified: a rebuild puts temporary tables of the same names
-- in front. plpgsql, because it keeps the plan: planning these for every append took as long as folding 20 events.

CREATE FUNCTION fold_organizations(from_position bigint, to_position bigint) RETURNS void
LANGUAGE plpgsql AS $$
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

CREATE FUNCTION fold_system_tools(from_position bigint, to_position bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO system_tools AS t (name, version, tier, asynchronous, definition_hash, position)
  SELECT DISTINCT ON (data->>'name')
         data->>'name', (data->>'version')::int, data->>'tier', (data->>'asynchronous')::boolean,
         data->>'definition_hash', position
  FROM events
  WHERE position > from_position AND position <= to_position AND type = 'BlueprintPublished'
  ORDER BY data->>'name', position DESC
  ON CONFLICT (name) DO UPDATE
    SET version = excluded.version, tier = excluded.tier, asynchronous = excluded.asynchronous,
        definition_hash = excluded.definition_hash, position = excluded.position
    WHERE t.position < excluded.position;
END $$;

-- A retired tool's row stays, not enabled; a surplus tool has no row.
CREATE FUNCTION fold_org_tools(from_position bigint, to_position bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO org_tools AS t (id, org_id, tool_name, vapi_tool_id, enabled, account, definition_version,
                              definition_hash, created_at, updated_at, position)
  SELECT DISTINCT ON (org_id, data->>'name')
         min(position) OVER tool, org_id, data->>'name', data->>'vapi_tool_id',
         type IN ('ToolRegistered', 'ToolUpdated', 'ToolReinstated'), data->>'account',
         (data->>'definition_version')::int, data->>'definition_hash',
         min(recorded_at) OVER tool, recorded_at, position
  FROM events
  WHERE position > from_position AND position <= to_position
    AND type IN ('ToolRegistered', 'ToolUpdated', 'ToolVanished', 'ToolRetired', 'ToolReinstated', 'ToolDeleted')
  WINDOW tool AS (PARTITION BY org_id, data->>'name')
  ORDER BY org_id, data->>'name', position DESC
  ON CONFLICT (org_id, tool_name) DO UPDATE
    SET vapi_tool_id = excluded.vapi_tool_id, enabled = excluded.enabled, account = excluded.account,
        definition_version = excluded.definition_version, definition_hash = excluded.definition_hash,
        updated_at = excluded.updated_at, position = excluded.position
    WHERE t.position < excluded.position;
END $$;

-- A setting, and a surplus tool that somebody without the lease found, are work for the whole org.
CREATE FUNCTION fold_pending_syncs(from_position bigint, to_position bigint) RETURNS void
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
                   'AssistantRemoved', 'OrgClosed', 'ToolVanished', 'SurplusFound', 'TrafficSplitSeen', 'ToolDriftSeen',
                   'AssistantSynced', 'AssistantSyncFailed', 'OrgSettled')
  GROUP BY e.org_id, w.agent_id
  ON CONFLICT (org_id, agent_id) DO UPDATE
    SET requested = greatest(p.requested, excluded.requested), settled = greatest(p.settled, excluded.settled),
        save_requested = greatest(p.save_requested, excluded.save_requested);
END $$;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
