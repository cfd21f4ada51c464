-- migrate:up

-- People ask for an assistant by its id at Vapi or by their own; neither names the org.
CREATE INDEX assistants_assistant_id ON assistants (assistant_id);
CREATE INDEX assistants_agent_id ON assistants (agent_id);

-- A tenant may ask why, too; row-level security already says which rows are its own.
GRANT SELECT ON snapshots, leases TO tool_sync_tenant;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
