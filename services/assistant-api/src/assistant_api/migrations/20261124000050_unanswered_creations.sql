-- migrate:up

-- Creations that were closed while nobody knows what became of them: not found, or forgotten with their agent. Vapi may
-- still execute one, so it is looked for once more when it is old. No foreign key: the agent may be gone.
CREATE TABLE unanswered_creations (
    attempt_id   uuid PRIMARY KEY,
    org_id       uuid NOT NULL,
    agent_id     text NOT NULL,
    vapi_account text NOT NULL,
    attempt_at   timestamptz NOT NULL
);
CREATE INDEX unanswered_creations_age ON unanswered_creations (attempt_at);

CREATE FUNCTION agents_forget_creation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO unanswered_creations (attempt_id, org_id, agent_id, vapi_account, attempt_at)
    VALUES (OLD.attempt_id, OLD.org_id, OLD.id, OLD.vapi_account, OLD.attempt_at)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE TRIGGER agents_forget_creation AFTER DELETE ON agents
    FOR EACH ROW WHEN (OLD.attempt_creates) EXECUTE FUNCTION agents_forget_creation();

ALTER TABLE unanswered_creations ENABLE ROW LEVEL SECURITY;
ALTER TABLE unanswered_creations FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON unanswered_creations TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY service_all ON unanswered_creations TO assistant_api_service USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, DELETE ON unanswered_creations TO assistant_api_service;

-- migrate:down

DROP TRIGGER agents_forget_creation ON agents;
DROP FUNCTION agents_forget_creation;
DROP TABLE unanswered_creations;
