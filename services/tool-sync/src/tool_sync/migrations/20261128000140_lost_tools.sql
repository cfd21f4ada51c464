-- migrate:up

-- What a restore has lost: tools of ours at Vapi that were made after the backup's newest event, as `log fork` listed
-- them once, for every org. A registration adopts the oldest of its org and name before it makes one.
CREATE TABLE lost_tools (
  account      text NOT NULL,
  vapi_tool_id text NOT NULL,
  org_id       uuid NOT NULL,
  name         text NOT NULL,
  created_at   timestamptz,  -- Vapi's
  PRIMARY KEY (account, vapi_tool_id)
);
CREATE INDEX lost_tools_of_org ON lost_tools (org_id, name);

GRANT SELECT ON lost_tools TO tool_sync_service;
ALTER TABLE lost_tools ENABLE ROW LEVEL SECURITY;
ALTER TABLE lost_tools FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON lost_tools TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY service ON lost_tools TO tool_sync_service USING (true);

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
