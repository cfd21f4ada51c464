-- migrate:up
-- What somebody has in hand who asks about an assistant (ADR 72): its name, or the request or the trace of a save.

-- Under the append lock, as in 20261201000160: nobody appends while an index is built.
SELECT pg_advisory_xact_lock(7311);

-- The beginning of a name, in the order of the answer.
CREATE INDEX display_names_of_agents ON display_names (searched COLLATE "C", org_id, agent_id) WHERE agent_id <> '';

CREATE INDEX events_save_request ON events ((data ->> 'request_id')) WHERE type = 'SyncRequested';
CREATE INDEX events_save_trace ON events ((data ->> 'trace_id')) WHERE type = 'SyncRequested';

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
