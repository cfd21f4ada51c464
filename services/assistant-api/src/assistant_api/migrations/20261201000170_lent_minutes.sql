-- migrate:up

-- What was given up of a minute to tool-sync's bulk work (ADR 51). It counts as used: nothing of it is drawn here.
ALTER TABLE key_minutes ADD COLUMN lent integer NOT NULL DEFAULT 0;

-- The row of a minute, made where there is none, and locked. `allowed` falls after a minute in which Vapi said 429.
CREATE FUNCTION locked_minute(p_key text, p_minute bigint, p_limit integer) RETURNS key_minutes LANGUAGE plpgsql AS $$
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
    RETURN row_of_minute;
END $$;

CREATE OR REPLACE FUNCTION draw_requests_of(
    p_key text, p_minute bigint, p_limit integer, p_kept_share float8, p_wanted integer,
    OUT granted integer, OUT epoch float8
) LANGUAGE plpgsql AS $$
DECLARE
    row_of_minute key_minutes := locked_minute(p_key, p_minute, p_limit);
BEGIN
    granted := greatest(0, least(p_wanted,
        floor(least(row_of_minute.allowed, p_limit) * (1 - p_kept_share))::integer - row_of_minute.used));
    IF granted > 0 THEN
        UPDATE key_minutes SET used = used + granted WHERE key = p_key AND minute = p_minute;
    END IF;
    epoch := extract(epoch FROM clock_timestamp());
END $$;

-- Gives up at most p_wanted requests of a minute, for good. Kept are p_kept requests, and so many that twice what the
-- minute before needed fits. Nothing is given up of a minute that is not about to run, or beside one that Vapi refused.
CREATE FUNCTION lend_requests_of(
    p_key text, p_minute bigint, p_limit integer, p_kept integer, p_wanted integer
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    row_of_minute key_minutes;
    before key_minutes;
    needed integer;
    lendable integer;
BEGIN
    IF abs(p_minute - floor(extract(epoch FROM clock_timestamp()) / 60)) > 1 THEN
        RETURN 0;
    END IF;
    row_of_minute := locked_minute(p_key, p_minute, p_limit);
    SELECT * INTO before FROM key_minutes WHERE key = p_key AND minute = p_minute - 1;
    IF row_of_minute.refused OR coalesce(before.refused, false) THEN
        RETURN 0;
    END IF;
    needed := 2 * coalesce(before.used - before.lent, 0) - (row_of_minute.used - row_of_minute.lent);
    lendable := greatest(0, least(p_wanted,
        least(row_of_minute.allowed, p_limit) - row_of_minute.used - greatest(p_kept, needed)));
    UPDATE key_minutes SET used = used + lendable, lent = lent + lendable WHERE key = p_key AND minute = p_minute;
    RETURN lendable;
END $$;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
