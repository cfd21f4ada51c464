-- migrate:up

-- Which log of tool-sync's is followed for an organization, and which ones it has replaced: after a restore of its
-- database the numbers begin anew, and what the older log said late must not win. By the subscriber kit's own rules.
CREATE TABLE followed_logs (
    org_id    uuid PRIMARY KEY REFERENCES organizations (id) ON DELETE CASCADE,
    log_id    uuid NOT NULL,
    newest_at timestamptz NOT NULL,
    former    uuid[] NOT NULL DEFAULT '{}'
);
ALTER TABLE followed_logs ENABLE ROW LEVEL SECURITY;
ALTER TABLE followed_logs FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON followed_logs TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY service_all ON followed_logs TO assistant_api_service USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON followed_logs TO assistant_api_service;

-- NULL: of a log that was not noted; its number counts for the log that is followed now.
ALTER TABLE outcomes ADD COLUMN log_id uuid;

-- migrate:down

ALTER TABLE outcomes DROP COLUMN log_id;
DROP TABLE followed_logs;
