-- migrate:up

-- What all replicas know of a Vapi key. `key` is a fingerprint; a changed key has no row and works at once.
CREATE TABLE vapi_keys (
    key          text PRIMARY KEY,
    paused_until timestamptz NOT NULL,
    reason       text NOT NULL,
    -- After the pause one step alone finds out whether the key works.
    on_trial     boolean NOT NULL,
    -- How often in a row calls kept breaking.
    openings     integer NOT NULL DEFAULT 0
);

-- Requests of a UTC minute, drawn in batches. `allowed` falls after a minute in which Vapi said 429, and recovers.
CREATE TABLE key_minutes (
    key     text NOT NULL,
    minute  bigint NOT NULL,
    allowed integer NOT NULL,
    used    integer NOT NULL DEFAULT 0,
    refused boolean NOT NULL DEFAULT false,
    PRIMARY KEY (key, minute)
);

-- Draws at most p_wanted requests of the current minute and leaves p_kept_share of it to others. `second` is how far into
-- the minute this is.
CREATE FUNCTION draw_requests(
    p_key text, p_limit integer, p_kept_share float8, p_wanted integer, OUT granted integer, OUT second float8
) LANGUAGE plpgsql AS $$
DECLARE
    epoch float8 := extract(epoch FROM clock_timestamp());
    this_minute bigint := floor(epoch / 60);
    row_of_minute key_minutes;
BEGIN
    second := epoch - this_minute * 60;
    INSERT INTO key_minutes (key, minute, allowed)
    SELECT p_key, this_minute, coalesce(
        (SELECT CASE WHEN refused THEN greatest(1, least(used, allowed) * 3 / 4)
                     ELSE least(p_limit, allowed + greatest(1, p_limit / 10)) END
         FROM key_minutes WHERE key = p_key AND minute < this_minute ORDER BY minute DESC LIMIT 1), p_limit)
    ON CONFLICT DO NOTHING;
    SELECT * INTO row_of_minute FROM key_minutes WHERE key = p_key AND minute = this_minute FOR UPDATE;
    granted := greatest(0, least(p_wanted,
        floor(least(row_of_minute.allowed, p_limit) * (1 - p_kept_share))::integer - row_of_minute.used));
    IF granted > 0 THEN
        UPDATE key_minutes SET used = used + granted WHERE key = p_key AND minute = this_minute;
    END IF;
END $$;

GRANT SELECT, INSERT, UPDATE, DELETE ON vapi_keys, key_minutes TO assistant_api_service;

-- migrate:down

DROP FUNCTION draw_requests;
DROP TABLE key_minutes, vapi_keys;
