-- migrate:up

-- What tool-sync has published of each tool, as its topic said it last (ADR 47). It belongs to no organization. A row is
-- made empty, so that two replicas that read a tool's first record wait for each other.
CREATE TABLE published_tools (
    tool         text PRIMARY KEY,
    log_id       uuid,                             -- tool-sync's log that is followed for this tool
    position     bigint,                           -- of that log, as of which `body` is so
    said_at      timestamptz,                      -- by tool-sync's database
    former       uuid[] NOT NULL DEFAULT '{}',     -- logs that this one has replaced
    body         jsonb,
    stored_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    walk_due     boolean NOT NULL DEFAULT false,   -- every outcome with this tool is to be looked at,
    walked_org   uuid,                             -- and has been up to this one
    walked_agent text,
    CHECK ((log_id IS NULL) = (body IS NULL) AND (log_id IS NULL) = (position IS NULL)
           AND (log_id IS NULL) = (said_at IS NULL) AND (walked_org IS NULL) = (walked_agent IS NULL))
);
GRANT SELECT, INSERT, UPDATE ON published_tools TO assistant_api_service;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
