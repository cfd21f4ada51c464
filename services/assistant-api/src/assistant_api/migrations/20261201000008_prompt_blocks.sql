-- migrate:up

-- Our part of a system prompt says the clinic's hours and services, and names the tools that callers reach. Whoever
-- changes one of these leaves a mark here, in the same transaction, so plain SQL does too; a loop writes the blocks anew
-- that came to differ (ADR 27). A mark says when it was set first: a hundred changes in a minute are one rewrite.

CREATE FUNCTION organizations_mark_calendar() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.calendar_changed_at := coalesce(OLD.calendar_changed_at, now());
    RETURN NEW;
END $$;
CREATE TRIGGER organizations_mark_calendar BEFORE UPDATE OF time_zone, opening_hours, services ON organizations
    FOR EACH ROW WHEN ((NEW.time_zone, NEW.opening_hours, NEW.services)
                       IS DISTINCT FROM (OLD.time_zone, OLD.opening_hours, OLD.services))
    EXECUTE FUNCTION organizations_mark_calendar();

-- Tools that a caller of an assistant reaches, each as `name:version`; version 0 is not known.
CREATE FUNCTION reachable_versions(p_tools text[], p_versions integer[], p_failed text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY(SELECT t.name || ':' || coalesce(t.version, 0) FROM unnest(p_tools, p_versions) AS t(name, version)
             WHERE t.name <> ALL (p_failed) ORDER BY 1);

-- A tool that comes is no mark: its own description says all that the model needs, and the next save names it. Another
-- version is another tool: with one the model waits for the answer, with another it never hears it.
CREATE FUNCTION outcomes_mark_lost() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.tools_lost_at := coalesce(OLD.tools_lost_at, now());
    RETURN NEW;
END $$;
CREATE TRIGGER outcomes_mark_lost BEFORE UPDATE OF tools, failed_tools, tool_versions ON outcomes
    FOR EACH ROW WHEN (NOT reachable_versions(OLD.tools, OLD.tool_versions, OLD.failed_tools)
                       <@ reachable_versions(NEW.tools, NEW.tool_versions, NEW.failed_tools))
    EXECUTE FUNCTION outcomes_mark_lost();

-- Asks for the blocks of some agents of an organization to be written anew, as bulk work; how many. One that is on its
-- way to Vapi already says what is so now by itself.
CREATE FUNCTION request_rewrites(p_org_id uuid, p_agent_ids text[], p_traceparent text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    answer bigint;
BEGIN
    PERFORM set_config('app.cause', 'auto_sync', true),
            set_config('app.rewrite', 'on', true),
            set_config('app.request_id', '', true),
            set_config('app.traceparent', coalesce(p_traceparent, ''), true);
    WITH resting AS (
        SELECT org_id, id FROM agents
        WHERE org_id = p_org_id AND id = ANY (p_agent_ids)
          AND saved_revision <= greatest(provisioned_revision, refused_revision)
        ORDER BY org_id, id  -- as everybody who takes several: no deadlock
        FOR NO KEY UPDATE
    )
    UPDATE agents a SET saved_revision = a.saved_revision + 1 FROM resting r WHERE a.org_id = r.org_id AND a.id = r.id;
    GET DIAGNOSTICS answer = ROW_COUNT;
    PERFORM set_config('app.cause', '', true),
            set_config('app.rewrite', '', true),
            set_config('app.traceparent', '', true);
    RETURN answer;
END $$;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
