-- migrate:up
-- Which clinics have an account of their own at Vapi (ADR 76): the newest record of each key of vapi-accounts.v1. Beside
-- the log and no projection of it: it is read again. The key is ciphertext that opens with an envelope key alone, which
-- no table has.

SELECT pg_advisory_xact_lock(7311);

CREATE SEQUENCE vapi_accounts_changes;
CREATE TABLE vapi_accounts (
  org_id                    uuid   PRIMARY KEY,
  account                   text,    -- null: the clinic has none any more, and is served with the platform's
  sealed_key                text,
  key_fingerprint           text,
  tool_server_credential_id text,
  requests_per_minute       int,
  revision                  bigint,
  log_id                    uuid   NOT NULL,  -- of assistant-api's messages, within which revisions rise
  change                    bigint NOT NULL DEFAULT nextval('vapi_accounts_changes'),
  CHECK ((account IS NULL) = (sealed_key IS NULL) AND (account IS NULL) = (key_fingerprint IS NULL)),
  CHECK (account IS NOT NULL OR (tool_server_credential_id IS NULL AND requests_per_minute IS NULL))
);
-- Each process asks for what is above the newest that it has read. One process writes at a time, one statement at a time,
-- so that what commits later has a higher number.
CREATE UNIQUE INDEX vapi_accounts_changed ON vapi_accounts (change);

-- Whose key it is; null: the platform's. Pauses and minutes go by key, and what waits for a key goes on with any of its
-- account.
ALTER TABLE vapi_keys ADD COLUMN account text;

-- A clinic is looked at again when its account comes, goes or changes. With another credential its tools are another
-- document: they are read by their ids soon, and what is found to differ is written anew, as what anybody changed.
CREATE FUNCTION vapi_account_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- Whoever holds the lease, or gives it back at this moment, comes again by itself, and is not waited for.
  UPDATE leases SET next_due = clock_timestamp()
   WHERE org_id = (SELECT org_id FROM leases WHERE org_id = NEW.org_id FOR UPDATE SKIP LOCKED);
  IF TG_OP = 'UPDATE' AND OLD.account = NEW.account
     AND OLD.tool_server_credential_id IS DISTINCT FROM NEW.tool_server_credential_id THEN
    INSERT INTO object_looks AS l (kind, org_id, name, vapi_id, looked_at, suspected_at)
    SELECT 'tool', t.org_id, t.tool_name, t.vapi_tool_id, clock_timestamp(), clock_timestamp()
      FROM org_tools t WHERE t.org_id = NEW.org_id AND t.enabled
    ON CONFLICT (kind, org_id, name) DO UPDATE SET suspected_at = excluded.suspected_at, tried_at = NULL;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER vapi_account_changed AFTER INSERT OR UPDATE ON vapi_accounts
  FOR EACH ROW EXECUTE FUNCTION vapi_account_changed();

REVOKE ALL ON FUNCTION vapi_account_changed() FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE ON vapi_accounts TO tool_sync_service;
GRANT USAGE ON SEQUENCE vapi_accounts_changes TO tool_sync_service;
ALTER TABLE vapi_accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE vapi_accounts FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON vapi_accounts TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY service ON vapi_accounts TO tool_sync_service USING (true) WITH CHECK (true);

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
