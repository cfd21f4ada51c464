-- migrate:up
-- What assistant-api gave up of a minute for bulk work here, and whether it was asked (ADR 51).
ALTER TABLE key_minutes ADD COLUMN lent int NOT NULL DEFAULT 0, ADD COLUMN asked boolean NOT NULL DEFAULT false;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
