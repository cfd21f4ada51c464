-- migrate:up

-- Assistants that have to go from Vapi: of an agent that was deleted (a trigger, so plain SQL does the same), or made by
-- a creation whose answer nobody waited for any more. A row is deleted when Vapi no longer has its assistant. No foreign
-- key: the agent and its organization are gone.
CREATE TABLE removals (
    id                bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    org_id            uuid NOT NULL,
    agent_id          text NOT NULL,
    vapi_account      text NOT NULL,
    -- NULL: a creation without an answer; what it made is found by its metadata.
    vapi_assistant_id text,
    -- The creation that has no answer: its late answer finds this row.
    attempt_id        uuid,
    attempt_at        timestamptz,
    -- An assistant that was only named, never written to, goes only if its metadata says that it is ours.
    only_if_marked    boolean NOT NULL DEFAULT false,
    next_due          timestamptz NOT NULL DEFAULT now(),
    failures          integer NOT NULL DEFAULT 0,
    failure_code      text,
    lease_token       uuid,
    lease_until       timestamptz,
    traceparent       text,
    created_at        timestamptz NOT NULL DEFAULT now(),
    CHECK (vapi_assistant_id IS NOT NULL OR attempt_id IS NOT NULL),
    CHECK ((attempt_id IS NULL) = (attempt_at IS NULL))
);
CREATE INDEX removals_due ON removals (next_due);
CREATE UNIQUE INDEX removals_assistant ON removals (vapi_account, vapi_assistant_id);
CREATE UNIQUE INDEX removals_attempt ON removals (attempt_id);

CREATE FUNCTION agents_remove_assistant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO removals (org_id, agent_id, vapi_account, vapi_assistant_id, attempt_id, attempt_at, only_if_marked,
                          traceparent)
    SELECT OLD.org_id, OLD.id, OLD.vapi_account, OLD.vapi_assistant_id,
           CASE WHEN OLD.vapi_assistant_id IS NULL THEN OLD.attempt_id END,
           CASE WHEN OLD.vapi_assistant_id IS NULL THEN OLD.attempt_at END,
           OLD.provisioned_revision = 0,
           nullif(current_setting('app.traceparent', true), '')
    WHERE OLD.vapi_assistant_id IS NOT NULL OR OLD.attempt_creates
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE TRIGGER agents_remove_assistant AFTER DELETE ON agents
    FOR EACH ROW EXECUTE FUNCTION agents_remove_assistant();

-- Another assistant is given to an agent while the creation of its own has no answer: what that made is nobody's. The
-- provisioner's own statements end an attempt with the assistant that it made, and say so.
CREATE FUNCTION agents_drop_creation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO removals (org_id, agent_id, vapi_account, attempt_id, attempt_at, only_if_marked)
    VALUES (OLD.org_id, OLD.id, OLD.vapi_account, OLD.attempt_id, OLD.attempt_at, true)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE TRIGGER agents_drop_creation AFTER UPDATE OF vapi_assistant_id ON agents
    FOR EACH ROW WHEN (OLD.attempt_creates AND OLD.vapi_assistant_id IS NULL AND NEW.vapi_assistant_id IS NOT NULL
                       AND NEW.saved_revision <> OLD.saved_revision)
    EXECUTE FUNCTION agents_drop_creation();

-- What was accepted stays readable after its organization is gone, closed as `deleted`.
ALTER TABLE saves DROP CONSTRAINT saves_org_id_fkey;

ALTER TABLE removals ENABLE ROW LEVEL SECURITY;
ALTER TABLE removals FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON removals TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY service_all ON removals TO assistant_api_service USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON removals TO assistant_api_service;
GRANT DELETE ON agents, organizations TO assistant_api_service;

-- migrate:down

DELETE FROM saves s WHERE NOT EXISTS (SELECT FROM organizations o WHERE o.id = s.org_id);
ALTER TABLE saves ADD CONSTRAINT saves_org_id_fkey FOREIGN KEY (org_id) REFERENCES organizations (id) ON DELETE CASCADE;
REVOKE DELETE ON agents, organizations FROM assistant_api_service;
DROP TRIGGER agents_drop_creation ON agents;
DROP TRIGGER agents_remove_assistant ON agents;
DROP FUNCTION agents_drop_creation, agents_remove_assistant;
DROP TABLE removals;
