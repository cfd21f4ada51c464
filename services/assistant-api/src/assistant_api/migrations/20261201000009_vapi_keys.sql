-- migrate:up

-- What all replicas know of a Vapi key. `key` is a fingerprint; a changed key has no row and works at once.
CREATE TABLE vapi_keys (
    key          text PRIMARY KEY,
    paused_until timestamptz NOT NULL,
    reason       text NOT NULL,
    -- After the pause one step alone finds out whether the key works.
    half_open    boolean NOT NULL,
    -- How often in a row calls kept breaking.
    openings     integer NOT NULL DEFAULT 0,
    -- Since when the key has its trouble, however often the pause was renewed.
    since        timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION vapi_keys_since() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.reason <> OLD.reason OR (NOT OLD.half_open AND OLD.paused_until < now()) THEN
        NEW.since := now();
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER vapi_keys_since BEFORE UPDATE ON vapi_keys FOR EACH ROW EXECUTE FUNCTION vapi_keys_since();

-- Requests of a UTC minute, drawn in batches. `allowed` falls after a minute in which Vapi said 429, and recovers.
CREATE TABLE key_minutes (
    key     text NOT NULL,
    minute  bigint NOT NULL,
    allowed integer NOT NULL,
    used    integer NOT NULL DEFAULT 0,
    refused boolean NOT NULL DEFAULT false,
    PRIMARY KEY (key, minute)
);

-- Draws at most p_wanted requests of a minute and leaves p_kept_share of it to others. `epoch` is the time here: near the
-- turn of a minute a request is drawn from both, as nobody knows in which of them Vapi counts it.
CREATE FUNCTION draw_requests_of(
    p_key text, p_minute bigint, p_limit integer, p_kept_share float8, p_wanted integer,
    OUT granted integer, OUT epoch float8
) LANGUAGE plpgsql AS $$
DECLARE
    row_of_minute key_minutes;
BEGIN
    INSERT INTO key_minutes (key, minute, allowed)
    SELECT p_key, p_minute, coalesce(
        (SELECT CASE WHEN refused THEN greatest(1, least(used, allowed) * 3 / 4)
                     ELSE least(p_limit, allowed + greatest(1, p_limit / 10)) END
         FROM key_minutes WHERE key = p_key AND minute < p_minute ORDER BY minute DESC LIMIT 1), p_limit)
    ON CONFLICT DO NOTHING;
    SELECT * INTO row_of_minute FROM key_minutes WHERE key = p_key AND minute = p_minute FOR UPDATE;
    granted := greatest(0, least(p_wanted,
        floor(least(row_of_minute.allowed, p_limit) * (1 - p_kept_share))::integer - row_of_minute.used));
    IF granted > 0 THEN
        UPDATE key_minutes SET used = used + granted WHERE key = p_key AND minute = p_minute;
    END IF;
    epoch := extract(epoch FROM clock_timestamp());
END $$;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
