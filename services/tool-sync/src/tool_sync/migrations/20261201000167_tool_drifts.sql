-- migrate:up
-- What somebody changed of a clinic's tool at Vapi, as long as it stands: by a policy it may be left so (ADR 49).

-- Under the append lock, as in 20261201000160.
SELECT pg_advisory_xact_lock(7311);

CREATE TABLE tool_drifts (
  org_id       uuid         NOT NULL,
  tool_name    varchar(255) NOT NULL,
  vapi_tool_id text         NOT NULL,
  is_open      boolean      NOT NULL, -- false: it was put right, made anew or taken back
  gone         boolean      NOT NULL,
  differs      jsonb        NOT NULL,
  found        text,
  seen_at      timestamptz  NOT NULL,
  position     bigint       NOT NULL,
  PRIMARY KEY (org_id, tool_name)
);

-- Only clinics of which drift was ever seen have a row.
CREATE FUNCTION fold_tool_drifts(from_position bigint, to_position bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO tool_drifts AS d (org_id, tool_name, vapi_tool_id, is_open, gone, differs, found, seen_at, position)
  SELECT DISTINCT ON (e.org_id, e.data->>'name') e.org_id, e.data->>'name', e.data->>'vapi_tool_id',
         e.type = 'ToolDriftSeen', coalesce((e.data->>'gone')::boolean, false), coalesce(e.data->'differs', '[]'),
         e.data->>'found', e.recorded_at, e.position
  FROM events e
  WHERE e.position > from_position AND e.position <= to_position
    AND e.type IN ('ToolDriftSeen', 'ToolDriftEnded', 'ToolRegistered', 'ToolUpdated', 'ToolVanished')
    AND (e.type = 'ToolDriftSeen'
         OR EXISTS (SELECT FROM tool_drifts k WHERE k.org_id = e.org_id AND k.tool_name = e.data->>'name')
         OR EXISTS (SELECT FROM events f WHERE f.org_id = e.org_id AND f.position > from_position
                     AND f.position < e.position AND f.type = 'ToolDriftSeen' AND f.data->>'name' = e.data->>'name'))
  ORDER BY e.org_id, e.data->>'name', e.position DESC
  ON CONFLICT (org_id, tool_name) DO UPDATE
    SET vapi_tool_id = excluded.vapi_tool_id, is_open = excluded.is_open, gone = excluded.gone,
        differs = excluded.differs, found = excluded.found, seen_at = excluded.seen_at, position = excluded.position
    WHERE d.position < excluded.position;
END $$;
REVOKE ALL ON FUNCTION fold_tool_drifts(bigint, bigint) FROM PUBLIC;

SELECT fold_tool_drifts(0, (SELECT coalesce(max(position), 0) FROM events));
INSERT INTO projections (name, position, types)
VALUES ('tool_drifts', NULL, '{ToolDriftSeen,ToolDriftEnded,ToolRegistered,ToolUpdated,ToolVanished}');
ALTER TABLE tool_drifts ENABLE ROW LEVEL SECURITY;
ALTER TABLE tool_drifts FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON tool_drifts TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY service ON tool_drifts FOR SELECT TO tool_sync_service USING (true);
GRANT SELECT ON tool_drifts TO tool_sync_service;

-- What somebody changes at Vapi is a change for the clinic. events_tool_changes stays for replicas of the release before.
CREATE INDEX events_tool_changes_and_drift ON events (org_id, position)
 WHERE type IN ('ToolSettingChanged', 'ToolSettingRemoved', 'ToolRegistered', 'ToolUpdated', 'ToolRetired',
                'ToolReinstated', 'ToolDeleted', 'ToolVanished', 'ToolPinned', 'ToolUnpinned', 'ToolPinExpired',
                'ToolDriftSeen', 'ToolDriftEnded');

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
