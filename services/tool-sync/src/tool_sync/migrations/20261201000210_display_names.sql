-- migrate:up
-- What clinics and agents are called (ADR 65): the newest record of each key of display-names.v1. Beside the log, whose
-- rows can never be changed, and no projection of it: everything here can be deleted, and is read again.

-- Under the append lock, as in 20261201000160.
SELECT pg_advisory_xact_lock(7311);

CREATE TABLE display_names (
  org_id   uuid   NOT NULL,
  agent_id text   NOT NULL,  -- '' is the clinic itself
  name     text   NOT NULL,
  searched text   NOT NULL CHECK (char_length(searched) <= 200),  -- its beginning, as a search compares it
  revision bigint NOT NULL,
  log_id   uuid   NOT NULL,  -- of assistant-api's messages, within which revisions rise
  PRIMARY KEY (org_id, agent_id)
);
-- All that a search reads, in the order of its answer: of what is frequent it reads the first few, and no agents.
CREATE INDEX display_names_of_clinics ON display_names (searched COLLATE "C", org_id) WHERE agent_id = '';

CREATE FUNCTION forget_display_names() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM display_names WHERE org_id = NEW.id;
  RETURN NULL;
END $$;
CREATE TRIGGER forget_display_names AFTER INSERT OR UPDATE OF closed ON organizations
  FOR EACH ROW WHEN (NEW.closed) EXECUTE FUNCTION forget_display_names();

REVOKE ALL ON FUNCTION forget_display_names() FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON display_names TO tool_sync_service;
GRANT SELECT ON display_names TO tool_sync_tenant;
ALTER TABLE display_names ENABLE ROW LEVEL SECURITY;
ALTER TABLE display_names FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON display_names TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY service ON display_names TO tool_sync_service USING (true) WITH CHECK (true);
CREATE POLICY tenant ON display_names FOR SELECT TO tool_sync_tenant
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
