-- migrate:up
-- Who may do what. Three roles: the owner (who migrates, and as whom append runs), the process, and one tenant at a
-- time.

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO tool_sync_service, tool_sync_tenant;
GRANT EXECUTE ON FUNCTION append(text[], uuid[], int[], text[], int[], uuid[], text[], smallint[], text[], uuid[])
  TO tool_sync_service;
GRANT EXECUTE ON FUNCTION hash_part(bytea), hash_part(text), hash_time(timestamptz),
  hash_parts(bytea, text, text, text, text, text, text, text, text),
  event_hash(bytea, text, int, uuid, text, smallint, timestamptz, jsonb, jsonb) TO tool_sync_service;

-- The process reads everything and writes what is not a record of what happened; events and projections only by append.
GRANT SELECT ON ALL TABLES IN SCHEMA public TO tool_sync_service;
GRANT INSERT, UPDATE, DELETE ON leases, dead_letters, snapshots, cursors, vapi_keys, key_minutes, key_pauses,
  named_tools, vapi_looks, vapi_words TO tool_sync_service;
GRANT INSERT, UPDATE ON topic_looks, lost_records TO tool_sync_service;
GRANT INSERT ON installation TO tool_sync_service;

-- A tenant may ask why, too; row-level security says which rows are its own.
GRANT SELECT ON events, organizations, org_tools, assistants, pending_syncs, system_tools, snapshots, leases, vapi_words
  TO tool_sync_tenant;

-- Every table that knows an org is closed to everybody but those named here, its owner included. The setting app.org_id
-- is '' and not null after the transaction that set it; in a sub-select it is looked up once per statement.
DO $$
DECLARE
  t text;
  org_column text;
BEGIN
  FOREACH t IN ARRAY ARRAY['events', 'organizations', 'org_tools', 'assistants', 'pending_syncs', 'snapshots', 'leases',
                           'dead_letters', 'lost_tools', 'vapi_looks', 'vapi_words'] LOOP
    org_column := CASE t WHEN 'organizations' THEN 'id' ELSE 'org_id' END;
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY owner ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', t);
    EXECUTE format('CREATE POLICY service ON %I TO tool_sync_service USING (true) WITH CHECK (true)', t);
    CONTINUE WHEN t IN ('lost_tools', 'vapi_looks');  -- no tenant asks for them
    EXECUTE format($policy$CREATE POLICY tenant ON %I FOR SELECT TO tool_sync_tenant
      USING (%I = (SELECT nullif(current_setting('app.org_id', true), '')::uuid))$policy$, t, org_column);
  END LOOP;
END $$;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
