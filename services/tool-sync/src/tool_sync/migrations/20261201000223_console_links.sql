-- migrate:up

-- Links that sign somebody in at the console, once and within five minutes (ADR 73). Neither column lets anybody in: the
-- code that the link has is here only as its hash, and the token is sealed with a key that the database has not. A row
-- goes when its link is used, or has ended. Of no organization: only the platform makes links.
CREATE TABLE console_links (
    code_hash    bytea       PRIMARY KEY CHECK (octet_length(code_hash) = 32),
    sealed_token text        NOT NULL CHECK (char_length(sealed_token) BETWEEN 1 AND 8000),
    expires_at   timestamptz NOT NULL
);
CREATE INDEX console_links_ended ON console_links (expires_at);
GRANT SELECT, INSERT, DELETE ON console_links TO tool_sync_service;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
