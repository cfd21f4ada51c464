-- migrate:up
-- Dead letters stay for ever; how many are open is counted every 15 seconds.
CREATE INDEX dead_letters_open ON dead_letters (id) WHERE acknowledged_at IS NULL AND replayed_at IS NULL;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
