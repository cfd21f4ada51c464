-- migrate:up
-- What becomes of a clinic's tools is told on a topic of its own (ADR 46), from here on: no event before this has a number
-- there, and a relay need not walk through them all to find that.
SELECT pg_advisory_xact_lock(7311);

INSERT INTO cursors (name, position)
SELECT 'fleet-relay', coalesce(max(position), 0) FROM events
ON CONFLICT (name) DO NOTHING;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
