-- migrate:up

-- Where the ids of a request come from (ADR 23). NULL in the rows that were there, and in those of a process of the
-- release before: their ids came from scope and key.
ALTER TABLE idempotency_keys ADD COLUMN seed uuid;

-- As before, but a request id is known only where it is the same agent's: another one's answer says nothing of this one.
CREATE OR REPLACE FUNCTION request_save(
    p_org_id uuid, p_agent_id text, p_cause text, p_request_id uuid DEFAULT NULL, p_traceparent text DEFAULT NULL
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    answer bigint;
BEGIN
    SELECT revision INTO answer FROM saves
    WHERE request_id = p_request_id AND org_id = p_org_id AND agent_id = p_agent_id;
    IF FOUND THEN
        RETURN answer;
    END IF;
    PERFORM set_config('app.cause', p_cause, true),
            set_config('app.request_id', coalesce(p_request_id::text, ''), true),
            set_config('app.traceparent', coalesce(p_traceparent, ''), true);
    UPDATE agents SET saved_revision = saved_revision + 1 WHERE org_id = p_org_id AND id = p_agent_id
    RETURNING saved_revision INTO answer;
    PERFORM set_config('app.cause', '', true),
            set_config('app.request_id', '', true),
            set_config('app.traceparent', '', true);
    RETURN answer;
END $$;

-- migrate:down

CREATE OR REPLACE FUNCTION request_save(
    p_org_id uuid, p_agent_id text, p_cause text, p_request_id uuid DEFAULT NULL, p_traceparent text DEFAULT NULL
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    answer bigint;
BEGIN
    SELECT revision INTO answer FROM saves WHERE request_id = p_request_id;
    IF FOUND THEN
        RETURN answer;
    END IF;
    PERFORM set_config('app.cause', p_cause, true),
            set_config('app.request_id', coalesce(p_request_id::text, ''), true),
            set_config('app.traceparent', coalesce(p_traceparent, ''), true);
    UPDATE agents SET saved_revision = saved_revision + 1 WHERE org_id = p_org_id AND id = p_agent_id
    RETURNING saved_revision INTO answer;
    PERFORM set_config('app.cause', '', true),
            set_config('app.request_id', '', true),
            set_config('app.traceparent', '', true);
    RETURN answer;
END $$;
ALTER TABLE idempotency_keys DROP COLUMN seed;
