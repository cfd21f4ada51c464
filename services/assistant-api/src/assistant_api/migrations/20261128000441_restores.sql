-- migrate:up

-- After a restore (ADR 28) every revision begins above what was published before it: the second at which
-- `assistant-api restore` ran. No agent is ever saved more than once a second on average, so a later restore begins
-- above an earlier one's, too, and nobody has to know which revisions the backup lacks.
ALTER TABLE installation ADD COLUMN revision_floor bigint NOT NULL DEFAULT 0, ADD COLUMN restored_at timestamptz;

CREATE FUNCTION next_revision(p_revision bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT greatest(p_revision, coalesce(max(revision_floor), 0)) + 1 FROM installation
$$;

-- Assistants at Vapi that carry our mark and that no agent named when the database was restored: made, or adopted,
-- after the backup. An agent that is to get an assistant takes the oldest of its own before one is made.
CREATE TABLE lost_assistants (
    vapi_account      text NOT NULL,
    vapi_assistant_id text NOT NULL,
    org_id            uuid NOT NULL,
    agent_id          text NOT NULL,
    -- Whether an attempt of ours made it, as its metadata says.
    made              boolean NOT NULL,
    created_at        timestamptz,
    PRIMARY KEY (vapi_account, vapi_assistant_id)
);
CREATE INDEX lost_assistants_of_agent ON lost_assistants (org_id, agent_id);
ALTER TABLE lost_assistants ENABLE ROW LEVEL SECURITY;
ALTER TABLE lost_assistants FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON lost_assistants TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY service_all ON lost_assistants TO assistant_api_service USING (true) WITH CHECK (true);
GRANT SELECT, DELETE ON lost_assistants TO assistant_api_service;

CREATE OR REPLACE FUNCTION agents_count_save() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    given boolean;
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.saved_revision := next_revision(former_revision(NEW.org_id, NEW.id));
        NEW.provisioned_revision := 0;
        NEW.refused_revision := 0;
        NEW.vapi_made := false;
    ELSE
        IF (NEW.org_id, NEW.id) IS DISTINCT FROM (OLD.org_id, OLD.id) THEN
            RAISE EXCEPTION 'an agent keeps its organization and its id: delete it and insert another'
                USING ERRCODE = 'restrict_violation';
        END IF;
        given := (NEW.vapi_account, NEW.vapi_assistant_id) IS DISTINCT FROM (OLD.vapi_account, OLD.vapi_assistant_id)
            AND NEW.provisioner_writes = OLD.provisioner_writes;
        IF given THEN
            -- Whoever works on the one before has lost the lease, and an answer of Vapi's that is under way says nothing.
            NEW.vapi_made := false;
            NEW.lease_token := NULL;
            NEW.lease_until := NULL;
            NEW.attempt_id := NULL;
            NEW.attempt_at := NULL;
            NEW.attempt_creates := NULL;
        ELSIF NEW.saved_revision = OLD.saved_revision
           AND (NEW.name, NEW.system_prompt, NEW.first_message, NEW.voice, NEW.model)
               IS NOT DISTINCT FROM (OLD.name, OLD.system_prompt, OLD.first_message, OLD.voice, OLD.model) THEN
            RETURN NEW;
        END IF;
        NEW.saved_revision := next_revision(OLD.saved_revision);
    END IF;
    NEW.updated_at := now();
    NEW.next_due := now();  -- a save is tried at once, whatever the back-off of the one before
    NEW.bulk := coalesce(current_setting('app.cause', true), '') = 'auto_sync'
        AND (TG_OP = 'INSERT' OR OLD.bulk OR OLD.saved_revision <= greatest(OLD.provisioned_revision, OLD.refused_revision));
    RETURN NEW;
END $$;

-- migrate:down

DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
