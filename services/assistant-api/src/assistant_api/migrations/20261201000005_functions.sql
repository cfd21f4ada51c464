-- migrate:up

-- A wish to have an unchanged agent synced: one revision and one row of `saves` more. Repeating a request id that is
-- known for this agent changes nothing; another one's answer says nothing of it. Returns the revision that answers the
-- request, or NULL where there is no such agent.
CREATE FUNCTION request_save(
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

-- All agents of an organization at once, in order, each with a request id of its own. Returns how many.
CREATE FUNCTION request_save_of_all(p_org_id uuid, p_cause text, p_traceparent text DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    answer bigint;
BEGIN
    PERFORM set_config('app.cause', p_cause, true),
            set_config('app.request_id', '', true),
            set_config('app.traceparent', coalesce(p_traceparent, ''), true);
    PERFORM FROM agents WHERE org_id = p_org_id ORDER BY org_id, id FOR NO KEY UPDATE;
    UPDATE agents SET saved_revision = saved_revision + 1 WHERE org_id = p_org_id;
    GET DIAGNOSTICS answer = ROW_COUNT;
    PERFORM set_config('app.cause', '', true),
            set_config('app.traceparent', '', true);
    RETURN answer;
END $$;

-- Writes a diverged assistant again, while its row is still at that revision; at most p_limit times an hour
-- of its life.
-- Returns 'healed', 'outdated' (a newer save exists or is on its way, or no such agent) or 'exhausted'.
CREATE FUNCTION heal(
    p_org_id uuid, p_agent_id text, p_revision bigint, p_request_id uuid, p_traceparent text, p_limit integer
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM agents
    WHERE org_id = p_org_id AND id = p_agent_id AND saved_revision = p_revision AND provisioned_revision = p_revision
    FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 'outdated';
    END IF;
    IF (SELECT count(*) FROM saves
        WHERE org_id = p_org_id AND agent_id = p_agent_id AND cause = 'repair'
          AND created_at > now() - interval '1 hour'
          AND revision > former_revision(p_org_id, p_agent_id)) >= p_limit THEN
        RETURN 'exhausted';
    END IF;
    PERFORM request_save(p_org_id, p_agent_id, 'repair', p_request_id, p_traceparent);
    RETURN 'healed';
END $$;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
