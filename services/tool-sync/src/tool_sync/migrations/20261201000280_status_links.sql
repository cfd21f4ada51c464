-- migrate:up
-- Addresses at which a clinic's own site shows whether its assistants can book (ADR 86). The code that an address has is
-- here only as its hash; a row is taken back with the address, and goes with the clinic.

-- Under the append lock, as in 20261201000160: a trigger on a table that append writes.
SELECT pg_advisory_xact_lock(7311);

CREATE TABLE status_links (
  id         uuid        PRIMARY KEY,
  org_id     uuid        NOT NULL,
  code_hash  bytea       NOT NULL UNIQUE CHECK (octet_length(code_hash) = 32),
  label      text        NOT NULL CHECK (char_length(label) BETWEEN 1 AND 100),
  made_at    timestamptz NOT NULL,
  made_by    text        NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX status_links_of ON status_links (org_id, made_at);
CREATE INDEX status_links_ended ON status_links (expires_at);

CREATE FUNCTION forget_status_links() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM status_links WHERE org_id = NEW.id;
  RETURN NULL;
END $$;
CREATE TRIGGER forget_status_links AFTER INSERT OR UPDATE OF closed ON organizations
  FOR EACH ROW WHEN (NEW.closed) EXECUTE FUNCTION forget_status_links();
REVOKE ALL ON FUNCTION forget_status_links() FROM PUBLIC;

GRANT SELECT, INSERT, DELETE ON status_links TO tool_sync_service;
-- Not the hashes: nobody asks for them but by a code.
GRANT SELECT (id, org_id, label, made_at, made_by, expires_at) ON status_links TO tool_sync_tenant;
ALTER TABLE status_links ENABLE ROW LEVEL SECURITY;
ALTER TABLE status_links FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON status_links TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY service ON status_links TO tool_sync_service USING (true) WITH CHECK (true);
CREATE POLICY tenant ON status_links FOR SELECT TO tool_sync_tenant
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
