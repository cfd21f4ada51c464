-- migrate:up

-- Whether we have seen, at Vapi, the very assistant that the row names. Only then does "there is none" mean that it is
-- gone and another is made; one that somebody named just now never was there, and that is refused.
ALTER TABLE agents ADD COLUMN vapi_seen boolean NOT NULL DEFAULT false;
UPDATE agents SET vapi_seen = true WHERE provisioned_revision > 0 AND vapi_assistant_id IS NOT NULL;

CREATE FUNCTION agents_not_seen_yet() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.vapi_seen := false;
    RETURN NEW;
END $$;
CREATE TRIGGER agents_not_seen_yet BEFORE UPDATE OF vapi_account, vapi_assistant_id ON agents
    FOR EACH ROW WHEN (NEW.provisioner_writes = OLD.provisioner_writes
                       AND (NEW.vapi_account, NEW.vapi_assistant_id)
                           IS DISTINCT FROM (OLD.vapi_account, OLD.vapi_assistant_id))
    EXECUTE FUNCTION agents_not_seen_yet();

-- migrate:down

DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
