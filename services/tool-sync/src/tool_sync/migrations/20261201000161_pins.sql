-- migrate:up
-- A clinic that stays at one version of a tool until a date (ADR 43), one row per tool that was ever pinned; and orders
-- that hold what their version's number stood for when they were started.

-- Under the append lock, taken before any table's: what is appended between a fold and its row in projections would be
-- folded by nobody.
SELECT pg_advisory_xact_lock(7311);

-- version is null where the pin was taken back, has had its time or went with its clinic; the row stays, as an older
-- range that is folded again must find the newer position. While there is a pin, position is that of its event.
CREATE TABLE org_tool_pins (
  org_id          uuid         NOT NULL,
  tool_name       varchar(255) NOT NULL,
  version         int,
  definition_hash text,
  tier            text,
  until           timestamptz,
  changed_at      timestamptz  NOT NULL,
  actor           text         NOT NULL,
  reason          text,
  position        bigint       NOT NULL,
  PRIMARY KEY (org_id, tool_name)
);
CREATE INDEX org_tool_pins_of_tool ON org_tool_pins (tool_name, version) WHERE version IS NOT NULL;

CREATE FUNCTION fold_org_tool_pins(from_position bigint, to_position bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO org_tool_pins AS p (org_id, tool_name, version, definition_hash, tier, until, changed_at, actor, reason,
                                  position)
  SELECT DISTINCT ON (org_id, data->>'name')
         org_id, data->>'name', (data->>'version')::int, data->>'definition_hash', data->>'tier',
         (data->>'until')::timestamptz, recorded_at, coalesce(meta->>'actor', ''), data->>'reason', position
  FROM events
  WHERE position > from_position AND position <= to_position AND type IN ('ToolPinned', 'ToolUnpinned')
  ORDER BY org_id, data->>'name', position DESC
  ON CONFLICT (org_id, tool_name) DO UPDATE
    SET version = excluded.version, definition_hash = excluded.definition_hash, tier = excluded.tier,
        until = excluded.until, changed_at = excluded.changed_at, actor = excluded.actor, reason = excluded.reason,
        position = excluded.position
    WHERE p.position < excluded.position;

  -- What ends the newest pin, if it is still there: the first such event after it, so that ranges may be cut anywhere.
  UPDATE org_tool_pins p
  SET version = NULL, definition_hash = NULL, tier = NULL, until = NULL, changed_at = ended.recorded_at,
      actor = ended.actor, reason = NULL, position = ended.position
  FROM (
    SELECT DISTINCT ON (q.org_id, q.tool_name) q.org_id, q.tool_name, e.position, e.recorded_at,
           coalesce(e.meta->>'actor', '') AS actor
    FROM events e JOIN org_tool_pins q ON q.org_id = e.org_id AND q.version IS NOT NULL AND q.position < e.position
    WHERE e.position > from_position AND e.position <= to_position
      AND (e.type = 'OrgClosed'
           OR (e.type = 'ToolPinExpired' AND e.data->>'name' = q.tool_name
               AND (e.data->>'pinned_at')::bigint = q.position))
    ORDER BY q.org_id, q.tool_name, e.position
  ) ended
  WHERE p.org_id = ended.org_id AND p.tool_name = ended.tool_name;
END $$;

SELECT fold_org_tool_pins(0, (SELECT coalesce(max(position), 0) FROM events));
INSERT INTO projections (name, position, types)
VALUES ('org_tool_pins', NULL, '{ToolPinned,ToolUnpinned,ToolPinExpired,OrgClosed}');

REVOKE ALL ON FUNCTION fold_org_tool_pins(bigint, bigint) FROM PUBLIC;
GRANT SELECT ON org_tool_pins TO tool_sync_service, tool_sync_tenant;
ALTER TABLE org_tool_pins ENABLE ROW LEVEL SECURITY;
ALTER TABLE org_tool_pins FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON org_tool_pins TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY service ON org_tool_pins FOR SELECT TO tool_sync_service USING (true);
CREATE POLICY tenant ON org_tool_pins FOR SELECT TO tool_sync_tenant
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
