-- migrate:up

-- The tools that a clinic's newest outcome names, to be written along with the creation of its next assistant (ADR 35).
-- One row a clinic, of its newest outcome under the log that is followed: one that names no tools says so, too.
CREATE TABLE known_tools (
    org_id       uuid PRIMARY KEY REFERENCES organizations (id) ON DELETE CASCADE,
    log_id       uuid NOT NULL,
    sequence     bigint NOT NULL,
    vapi_account text NOT NULL,
    tool_ids     text[] NOT NULL,
    occurred_at  timestamptz NOT NULL,  -- by tool-sync's database
    stored_at    timestamptz NOT NULL DEFAULT clock_timestamp()  -- by this one
);
ALTER TABLE known_tools ENABLE ROW LEVEL SECURITY;
ALTER TABLE known_tools FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON known_tools TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY service_all ON known_tools TO assistant_api_service USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON known_tools TO assistant_api_service;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
