-- migrate:up
-- Words that a run found to be lost, and that the clinic has set again before that was written, are not lost: the event
-- names the setting whose words they were (ADR 58). As 20261201000180, but for the line with set_at.

-- Under the append lock, as in 20261201000160.
SELECT pg_advisory_xact_lock(7311);

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
                                                AND k.position = coalesce((e.data->>'set_at')::bigint, k.position)
         CROSS JOIN LATERAL jsonb_array_elements(e.data->'hashes') AS h (hash)
         WHERE e.position > from_position AND e.position <= to_position AND e.type = 'ToolTextLost'
         GROUP BY 1, 2) lost
  WHERE s.org_id = lost.org_id AND s.tool_name = lost.name AND s.custom_config <> '{}';
END $$;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
