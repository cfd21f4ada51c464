-- migrate:up
-- Why a key is paused, since when, and which key is in use: operators see it from the database, without the log.

ALTER TABLE vapi_keys
  ADD COLUMN opened_at    timestamptz,  -- when a process last started with it: the newest is the key in use
  ADD COLUMN paused_since timestamptz,
  ADD COLUMN pause_reason text,         -- refused, broken or rate_limited
  ADD COLUMN pause_code   text;         -- of the error catalogue, where the answer gave one

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
