-- migrate:up
-- The claim walks open rows by lane (saves first) and age, and stops when it has enough. The lane is a number, as the
-- planner would rewrite a negated condition and find no index for it.
DROP INDEX pending_syncs_open;
CREATE INDEX pending_syncs_open ON pending_syncs (((save_requested > settled)::int), requested)
 WHERE requested > settled;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
