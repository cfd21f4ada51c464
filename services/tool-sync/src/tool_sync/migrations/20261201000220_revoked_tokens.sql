-- migrate:up

-- Tokens that are taken back before they run out (ADR 66); a row goes some time after `ends_at`. Of no organization: a
-- token of the platform is taken back like any other, and no tenant asks.
CREATE TABLE revoked_tokens (
    jti        text        PRIMARY KEY CHECK (char_length(jti) BETWEEN 1 AND 128),
    ends_at    timestamptz NOT NULL,
    revoked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    "by"       text        NOT NULL CHECK (char_length("by") BETWEEN 1 AND 200),
    reason     text        NOT NULL CHECK (char_length(reason) BETWEEN 1 AND 200)
);
GRANT SELECT, INSERT (jti, ends_at, "by", reason), UPDATE (ends_at), DELETE ON revoked_tokens TO tool_sync_service;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
