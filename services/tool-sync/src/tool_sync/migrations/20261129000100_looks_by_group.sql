-- migrate:up
-- Whose look it was: a group with another name, as after a restore, reads from the beginning, and has forgotten nothing.
ALTER TABLE topic_looks ADD COLUMN group_id text;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
