-- migrate:up

-- What a clinic or an agent is called leaves this database over display-names.v1 alone (ADR 65), where a deletion removes
-- it. What is kept for ever has the clinic's id in the place of its name.

-- '' is the organization itself; without a name nobody is to be named any more. Whoever calls this holds the row's lock:
-- of one key the outbox has what was said in the order in which it came true.
CREATE FUNCTION say_name(p_org_id uuid, p_agent_id text, p_name text, p_revision bigint) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO outbox (org_id, message_id, type, body, traceparent)
    VALUES (p_org_id, gen_random_uuid(), 'zerotouch.DisplayName.v1',
            jsonb_build_object('org_id', p_org_id, 'agent_id', nullif(p_agent_id, ''), 'name', p_name,
                               'revision', p_revision),
            nullif(current_setting('app.traceparent', true), ''))
$$;

CREATE FUNCTION organizations_say_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM say_name(OLD.id, '', NULL, OLD.revision);
        -- Answers that are kept for repeated requests name it, too.
        UPDATE idempotency_keys SET body = jsonb_set(body::jsonb, '{name}', to_jsonb(OLD.id))::text
        WHERE body LIKE '{"success":true,"id":"%' AND left(body, 59) = '{"success":true,"id":"' || OLD.id || '"';
    ELSE
        PERFORM say_name(NEW.id, '', NEW.name, NEW.revision);
    END IF;
    RETURN NULL;
END $$;
CREATE INDEX idempotency_keys_of_organization ON idempotency_keys (left(body, 59))
    WHERE body LIKE '{"success":true,"id":"%';

CREATE TRIGGER organizations_say_first_name AFTER INSERT ON organizations
    FOR EACH ROW EXECUTE FUNCTION organizations_say_name();
CREATE TRIGGER organizations_say_other_name AFTER UPDATE ON organizations
    FOR EACH ROW WHEN (NEW.name <> OLD.name) EXECUTE FUNCTION organizations_say_name();
CREATE TRIGGER organizations_say_no_name AFTER DELETE ON organizations
    FOR EACH ROW EXECUTE FUNCTION organizations_say_name();

CREATE FUNCTION agents_say_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM say_name(OLD.org_id, OLD.id, NULL, OLD.saved_revision);
    ELSE
        PERFORM say_name(NEW.org_id, NEW.id, NEW.name, NEW.saved_revision);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER agents_say_first_name AFTER INSERT ON agents FOR EACH ROW EXECUTE FUNCTION agents_say_name();
CREATE TRIGGER agents_say_other_name AFTER UPDATE ON agents
    FOR EACH ROW WHEN (NEW.name <> OLD.name) EXECUTE FUNCTION agents_say_name();
CREATE TRIGGER agents_say_no_name AFTER DELETE ON agents FOR EACH ROW EXECUTE FUNCTION agents_say_name();

CREATE OR REPLACE FUNCTION organizations_publish() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO outbox (org_id, message_id, type, body, traceparent)
        VALUES (OLD.id, gen_random_uuid(), 'zerotouch.OrganizationDeleted.v1', jsonb_build_object('org_id', OLD.id),
                nullif(current_setting('app.traceparent', true), ''));
    ELSE
        INSERT INTO outbox (org_id, message_id, type, body, traceparent)
        VALUES (NEW.id, gen_random_uuid(), 'zerotouch.OrganizationSaved.v1',
                jsonb_build_object('org_id', NEW.id, 'revision', NEW.revision, 'name', NEW.id, 'tier', NEW.tier,
                                   'time_zone', NEW.time_zone),
                nullif(current_setting('app.traceparent', true), ''));
    END IF;
    RETURN NULL;
END $$;
-- What waits to be sent was written by the release before.
UPDATE outbox SET body = jsonb_set(body, '{name}', to_jsonb(org_id)) WHERE type = 'zerotouch.OrganizationSaved.v1';

-- When the topic is compared with the rows next. At once: it knows nothing of clinics that were here before.
CREATE TABLE name_checks (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    due_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO name_checks DEFAULT VALUES;
GRANT SELECT, UPDATE ON name_checks TO assistant_api_service;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
