-- migrate:up
-- What clinics are told by a signed webhook (ADR 81): where to, and what. Beside the log: addresses are taken back, and
-- secrets are sealed with a key that the database has not.

-- Under the append lock, as in 20261201000160: a trigger on a table that append writes.
SELECT pg_advisory_xact_lock(7311);

-- One row for each clinic that wants notices.
CREATE TABLE notice_endpoints (
  org_id           uuid        PRIMARY KEY,
  url              text        NOT NULL CHECK (char_length(url) BETWEEN 1 AND 255),
  sealed_secret    text        NOT NULL,
  secret_made_at   timestamptz NOT NULL,
  sealed_old       text,                     -- the secret before, which signs, too, until then
  old_until        timestamptz,
  set_at           timestamptz NOT NULL,     -- also a version: what was begun before it changes nothing of the row
  set_by           text        NOT NULL,
  -- How sending goes.
  tries            int         NOT NULL DEFAULT 0,
  failing_since    timestamptz,
  next_try_at      timestamptz,
  last_try_at      timestamptz,
  last_problem     text        CHECK (char_length(last_problem) <= 200),
  delivered_at     timestamptz,
  disabled_at      timestamptz,
  disabled_why     text        CHECK (disabled_why IN ('gave_up', 'gone', 'secret_unreadable')),
  -- How far it was looked.
  told_position    bigint      NOT NULL,     -- changes of tools up to it are told
  looked_at        timestamptz,              -- whether it can book
  cannot_since     timestamptz,              -- seen at each look since
  told_cannot      boolean     NOT NULL DEFAULT false,
  CHECK ((disabled_at IS NULL) = (disabled_why IS NULL))
) WITH (fillfactor = 70);
CREATE INDEX notice_endpoints_looked ON notice_endpoints (looked_at NULLS FIRST);

-- In the order of ids for each clinic. `said` keeps one thing from being told twice.
CREATE TABLE notices (
  id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  message_id   text        NOT NULL UNIQUE,  -- the header webhook-id, the same at each try
  org_id       uuid        NOT NULL REFERENCES notice_endpoints ON DELETE CASCADE,
  type         text        NOT NULL,
  said         text        NOT NULL,
  body         text        NOT NULL,         -- as it is signed and sent
  made_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  delivered_at timestamptz,
  UNIQUE (org_id, said)
);
CREATE INDEX notices_waiting ON notices (org_id, id) WHERE delivered_at IS NULL;
CREATE INDEX notices_made ON notices (made_at);

CREATE FUNCTION forget_notices() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM notice_endpoints WHERE org_id = NEW.id;
  RETURN NULL;
END $$;
CREATE TRIGGER forget_notices AFTER INSERT OR UPDATE OF closed ON organizations
  FOR EACH ROW WHEN (NEW.closed) EXECUTE FUNCTION forget_notices();
REVOKE ALL ON FUNCTION forget_notices() FROM PUBLIC;

GRANT SELECT, INSERT, UPDATE, DELETE ON notice_endpoints, notices TO tool_sync_service;
-- Not the secrets, though they are sealed: nobody is shown them.
GRANT SELECT (org_id, url, secret_made_at, old_until, set_at, set_by, tries, failing_since, next_try_at, last_try_at,
              last_problem, delivered_at, disabled_at, disabled_why) ON notice_endpoints TO tool_sync_tenant;
GRANT SELECT (org_id, delivered_at) ON notices TO tool_sync_tenant;
ALTER TABLE notice_endpoints ENABLE ROW LEVEL SECURITY;
ALTER TABLE notice_endpoints FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON notice_endpoints TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY service ON notice_endpoints TO tool_sync_service USING (true) WITH CHECK (true);
CREATE POLICY tenant ON notice_endpoints FOR SELECT TO tool_sync_tenant
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
ALTER TABLE notices ENABLE ROW LEVEL SECURITY;
ALTER TABLE notices FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON notices TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY service ON notices TO tool_sync_service USING (true) WITH CHECK (true);
CREATE POLICY tenant ON notices FOR SELECT TO tool_sync_tenant
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
