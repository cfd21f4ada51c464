-- migrate:up
-- What Vapi said where it refused something, in its own words. They may repeat what a clinic wrote: so they stand in the
-- clinic's own rows, for 30 days, and in no log, event or span.
CREATE TABLE vapi_words (
  id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  org_id   uuid        NOT NULL,
  agent_id text,                 -- null: it was about a tool
  trace_id text,
  first_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  at       timestamptz NOT NULL DEFAULT clock_timestamp(),
  times    int         NOT NULL DEFAULT 1,
  route    text        NOT NULL, -- method and path, with {id} in the place of ids
  status   int,
  code     text        NOT NULL,
  words    text        NOT NULL CHECK (length(words) BETWEEN 1 AND 2000)
);
CREATE INDEX vapi_words_of_org ON vapi_words (org_id, at DESC);
CREATE INDEX vapi_words_of_agent ON vapi_words (agent_id, at DESC) WHERE agent_id IS NOT NULL;
CREATE INDEX vapi_words_of_trace ON vapi_words (trace_id) WHERE trace_id IS NOT NULL;
CREATE INDEX vapi_words_age ON vapi_words (at);

GRANT SELECT, INSERT, UPDATE, DELETE ON vapi_words TO tool_sync_service;
GRANT SELECT ON vapi_words TO tool_sync_tenant;
ALTER TABLE vapi_words ENABLE ROW LEVEL SECURITY;
ALTER TABLE vapi_words FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON vapi_words TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY service ON vapi_words TO tool_sync_service USING (true) WITH CHECK (true);
CREATE POLICY tenant ON vapi_words FOR SELECT TO tool_sync_tenant
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
