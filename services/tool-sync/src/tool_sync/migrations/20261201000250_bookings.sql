-- migrate:up
-- How often which tool was called for a clinic, by day and result (ADR 80): counts of tool-calls.v1, without who called
-- and what was said. Beside the log and no projection of it: everything here can be deleted.

-- Under the append lock, as in 20261201000160: a trigger on a table that append writes.
SELECT pg_advisory_xact_lock(7311);

CREATE TABLE tool_call_counts (
  org_id       uuid        NOT NULL,
  code         text        NOT NULL,  -- of ToolCallHandled
  day          date        NOT NULL,  -- of the clinic's time zone, as it was known when the call was counted
  assistant_id text        NOT NULL,  -- Vapi's; '' where it was not said
  tool         text        NOT NULL,
  calls        bigint      NOT NULL CHECK (calls > 0),
  newest_at    timestamptz NOT NULL,
  PRIMARY KEY (org_id, code, day, assistant_id, tool)
) WITH (fillfactor = 70);
CREATE INDEX tool_call_counts_day ON tool_call_counts (day);

-- The messages that were counted, by their ids: one that is published, read or handled again counts no second time. A
-- row is written with its count, in one statement, and goes when its message is too old to be counted anyway.
CREATE TABLE counted_calls (
  id uuid        PRIMARY KEY,
  at timestamptz NOT NULL
);
CREATE INDEX counted_calls_at ON counted_calls (at);

-- How far the counts can be relied on: one row, which every process of tool-sync writes while it reads calls.
CREATE TABLE tool_calls_read (
  one           boolean     PRIMARY KEY DEFAULT true CHECK (one),
  counted_since timestamptz NOT NULL,           -- since then all are counted; before, what the topic still had
  read_through  timestamptz,                    -- all that the topic had then is counted; null: not known yet
  lost          bigint      NOT NULL DEFAULT 0, -- records of the last 8 days that Kafka lost before they were read
  log_id        uuid        NOT NULL            -- of the log then: another one was restored, and counts with it
) WITH (fillfactor = 10);

CREATE FUNCTION forget_tool_call_counts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM tool_call_counts WHERE org_id = NEW.id;
  RETURN NULL;
END $$;
CREATE TRIGGER forget_tool_call_counts AFTER INSERT OR UPDATE OF closed ON organizations
  FOR EACH ROW WHEN (NEW.closed) EXECUTE FUNCTION forget_tool_call_counts();
REVOKE ALL ON FUNCTION forget_tool_call_counts() FROM PUBLIC;

GRANT SELECT, INSERT, UPDATE, DELETE ON tool_call_counts TO tool_sync_service;
GRANT SELECT, INSERT, DELETE ON counted_calls TO tool_sync_service;
GRANT SELECT, INSERT, UPDATE ON tool_calls_read TO tool_sync_service;
GRANT SELECT ON tool_call_counts, tool_calls_read TO tool_sync_tenant;
ALTER TABLE tool_call_counts ENABLE ROW LEVEL SECURITY;
ALTER TABLE tool_call_counts FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON tool_call_counts TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY service ON tool_call_counts TO tool_sync_service USING (true) WITH CHECK (true);
CREATE POLICY tenant ON tool_call_counts FOR SELECT TO tool_sync_tenant
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
