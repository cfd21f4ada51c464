-- migrate:up

-- The prompt block describes the version of a tool that the assistant has: with one the model waits for the answer, with
-- another it never hears it. An outcome says which; a row from before this migration does not, until its next outcome.
ALTER TABLE outcomes ADD COLUMN tool_versions integer[] NOT NULL DEFAULT '{}';

-- Tools that a caller of an assistant reaches, each as `name:version`; version 0 is not known.
CREATE FUNCTION reachable_versions(p_tools text[], p_versions integer[], p_failed text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY(SELECT t.name || ':' || coalesce(t.version, 0) FROM unnest(p_tools, p_versions) AS t(name, version)
             WHERE t.name <> ALL (p_failed) ORDER BY 1);

-- Another version is another tool: what the block says of the one that was is no longer so.
DROP TRIGGER outcomes_mark_lost ON outcomes;
CREATE TRIGGER outcomes_mark_lost BEFORE UPDATE OF tools, failed_tools, tool_versions ON outcomes
    FOR EACH ROW WHEN (NOT reachable_versions(OLD.tools, OLD.tool_versions, OLD.failed_tools)
                       <@ reachable_versions(NEW.tools, NEW.tool_versions, NEW.failed_tools))
    EXECUTE FUNCTION outcomes_mark_lost();
-- `reachable_tools` stays for replicas of the release before.

-- migrate:down

DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
