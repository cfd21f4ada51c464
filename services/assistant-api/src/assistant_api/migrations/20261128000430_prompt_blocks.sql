-- migrate:up

-- Our part of a system prompt says the clinic's hours and services, and names the tools that callers reach. Whoever
-- changes one of these leaves a mark here, in the same transaction, so plain SQL does too; a loop writes the blocks anew
-- that came to differ (ADR 27). A mark says when it was set first: a hundred changes in a minute are one rewrite.

ALTER TABLE organizations ADD COLUMN calendar_changed_at timestamptz;
CREATE INDEX organizations_calendar_changed ON organizations (calendar_changed_at) WHERE calendar_changed_at IS NOT NULL;

CREATE FUNCTION organizations_mark_calendar() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.calendar_changed_at := coalesce(OLD.calendar_changed_at, now());
    RETURN NEW;
END $$;
CREATE TRIGGER organizations_mark_calendar BEFORE UPDATE OF time_zone, opening_hours, services ON organizations
    FOR EACH ROW WHEN ((NEW.time_zone, NEW.opening_hours, NEW.services)
                       IS DISTINCT FROM (OLD.time_zone, OLD.opening_hours, OLD.services))
    EXECUTE FUNCTION organizations_mark_calendar();

-- Tools that a caller of an assistant reaches, by its outcome: linked, and nothing stands before them.
CREATE FUNCTION reachable_tools(p_tools text[], p_failed text[]) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY(SELECT unnest(p_tools) EXCEPT SELECT unnest(p_failed) ORDER BY 1);

-- A tool that comes is no mark: its own description says all that the model needs, and the next save names it.
ALTER TABLE outcomes ADD COLUMN tools_lost_at timestamptz;
CREATE INDEX outcomes_tools_lost ON outcomes (tools_lost_at) WHERE tools_lost_at IS NOT NULL;

CREATE FUNCTION outcomes_mark_lost() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.tools_lost_at := coalesce(OLD.tools_lost_at, now());
    RETURN NEW;
END $$;
CREATE TRIGGER outcomes_mark_lost BEFORE UPDATE OF tools, failed_tools ON outcomes
    FOR EACH ROW WHEN (NOT reachable_tools(OLD.tools, OLD.failed_tools)
                       <@ reachable_tools(NEW.tools, NEW.failed_tools))
    EXECUTE FUNCTION outcomes_mark_lost();

-- The block that the newest provisioned revision has, as a hash. NULL: written by an earlier release.
ALTER TABLE agents ADD COLUMN block_hash text;

-- The newest revision that somebody asked for. A rewrite of our block is a revision too, and nobody's wish: what the
-- status says of the agent is still so while it is on its way.
ALTER TABLE agents ADD COLUMN asked_revision bigint NOT NULL DEFAULT 0;
UPDATE agents SET asked_revision = saved_revision;

CREATE FUNCTION agents_note_asked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR coalesce(current_setting('app.rewrite', true), '') = '' THEN
        NEW.asked_revision := NEW.saved_revision;
    END IF;
    RETURN NEW;
END $$;
-- By their names these come after agents_count_…, which raise the revision.
CREATE TRIGGER agents_note_asked_insert BEFORE INSERT ON agents FOR EACH ROW EXECUTE FUNCTION agents_note_asked();
CREATE TRIGGER agents_note_asked_update BEFORE UPDATE ON agents
    FOR EACH ROW WHEN (NEW.saved_revision <> OLD.saved_revision) EXECUTE FUNCTION agents_note_asked();

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

-- As before, in order.
CREATE OR REPLACE FUNCTION request_save_of_all(p_org_id uuid, p_cause text, p_traceparent text DEFAULT NULL)
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

-- migrate:down

DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
