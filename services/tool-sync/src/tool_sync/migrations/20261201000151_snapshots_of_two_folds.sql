-- migrate:up
-- Two releases side by side keep a snapshot each. With one row per org each overwrote the other's, and both read the
-- org's events from the beginning at every turn. A process from before this migration cannot save snapshots after it:
-- its ON CONFLICT (org_id) names a key that is gone, so it is ended first.
ALTER TABLE snapshots DROP CONSTRAINT snapshots_pkey;
ALTER TABLE snapshots ADD PRIMARY KEY (org_id, fold);

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
