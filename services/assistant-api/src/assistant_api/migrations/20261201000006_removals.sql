-- migrate:up

-- Assistants that have to go from Vapi: of an agent that was deleted (a trigger, so plain SQL does the same), or made by
-- a creation whose answer nobody waited for any more. And assistants that somebody has left, out of which is taken what
-- is ours (ADR 22). A row is deleted when Vapi has it so. No foreign key: the agent and its organization are gone.
CREATE TABLE removals (
    id                bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    org_id            uuid NOT NULL,
    agent_id          text NOT NULL,
    vapi_account      text NOT NULL,
    -- NULL: a creation without an answer; what it made is found by its metadata.
    vapi_assistant_id text,
    -- Either of the two: to be deleted (vapi_assistant_id, or what attempt_id made), or to be released.
    released_assistant_id text,
    -- A write of this row's that may still land: whoever takes the assistant waits for it.
    write_at          timestamptz,
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
    CHECK (num_nonnulls(vapi_assistant_id, released_assistant_id) <= 1
        AND num_nonnulls(vapi_assistant_id, released_assistant_id, attempt_id) >= 1),
    CHECK ((attempt_id IS NULL) = (attempt_at IS NULL))
);
CREATE INDEX removals_due ON removals (next_due);
CREATE UNIQUE INDEX removals_assistant ON removals (vapi_account, vapi_assistant_id);
CREATE UNIQUE INDEX removals_attempt ON removals (attempt_id);
CREATE UNIQUE INDEX removals_released ON removals (vapi_account, released_assistant_id, org_id, agent_id);

CREATE FUNCTION release_assistant(p_org_id uuid, p_agent_id text, p_account text, p_assistant_id text)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO removals (org_id, agent_id, vapi_account, released_assistant_id, traceparent, created_at)
    VALUES (p_org_id, p_agent_id, p_account, p_assistant_id, nullif(current_setting('app.traceparent', true), ''),
            clock_timestamp())
    ON CONFLICT (vapi_account, released_assistant_id, org_id, agent_id) DO UPDATE
    SET created_at = excluded.created_at, next_due = now(), traceparent = excluded.traceparent
$$;

CREATE FUNCTION agents_remove_assistant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.vapi_assistant_id IS NOT NULL AND NOT OLD.vapi_made THEN
        PERFORM release_assistant(OLD.org_id, OLD.id, OLD.vapi_account, OLD.vapi_assistant_id);
        RETURN NULL;
    END IF;
    INSERT INTO removals (org_id, agent_id, vapi_account, vapi_assistant_id, attempt_id, attempt_at, only_if_marked,
                          traceparent)
    SELECT OLD.org_id, OLD.id, OLD.vapi_account, OLD.vapi_assistant_id,
           CASE WHEN OLD.vapi_assistant_id IS NULL THEN OLD.attempt_id END,
           CASE WHEN OLD.vapi_assistant_id IS NULL THEN OLD.attempt_at END,
           OLD.vapi_assistant_id IS NULL,
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

CREATE FUNCTION agents_leave_assistant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM release_assistant(OLD.org_id, OLD.id, OLD.vapi_account, OLD.vapi_assistant_id);
    RETURN NULL;
END $$;
CREATE TRIGGER agents_leave_assistant AFTER UPDATE ON agents
    FOR EACH ROW WHEN (OLD.vapi_assistant_id IS NOT NULL AND NEW.provisioner_writes = OLD.provisioner_writes
                       AND (NEW.vapi_account, NEW.vapi_assistant_id)
                           IS DISTINCT FROM (OLD.vapi_account, OLD.vapi_assistant_id))
    EXECUTE FUNCTION agents_leave_assistant();

-- Whoever has an assistant keeps it: what was to be deleted is released, and the same agent's own leave is taken back,
-- unless a write of it is under way.
CREATE FUNCTION agents_take_assistant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM removals
    WHERE vapi_account = NEW.vapi_account AND NEW.vapi_assistant_id IN (vapi_assistant_id, released_assistant_id)
      AND org_id = NEW.org_id AND agent_id = NEW.id AND write_at IS NULL;
    UPDATE removals SET released_assistant_id = vapi_assistant_id, vapi_assistant_id = NULL, lease_token = NULL,
           lease_until = NULL, next_due = now()
    WHERE vapi_account = NEW.vapi_account AND vapi_assistant_id = NEW.vapi_assistant_id;
    RETURN NULL;
END $$;
CREATE TRIGGER agents_take_inserted AFTER INSERT ON agents
    FOR EACH ROW WHEN (NEW.vapi_assistant_id IS NOT NULL) EXECUTE FUNCTION agents_take_assistant();
CREATE TRIGGER agents_take_updated AFTER UPDATE ON agents
    FOR EACH ROW WHEN (NEW.vapi_assistant_id IS NOT NULL
                       AND (NEW.vapi_account, NEW.vapi_assistant_id)
                           IS DISTINCT FROM (OLD.vapi_account, OLD.vapi_assistant_id))
    EXECUTE FUNCTION agents_take_assistant();

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

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
