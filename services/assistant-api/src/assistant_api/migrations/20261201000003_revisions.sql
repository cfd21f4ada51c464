-- migrate:up

-- Revisions: each life of an agent or organization begins above the one before, and above what a restore has lost.

-- What the newest life of a deleted agent had come to; '' is the organization itself. A life begins above it, so that
-- nothing that was said of the one before is taken for its own. Never pruned.
CREATE TABLE former_revisions (
    org_id   uuid NOT NULL,
    agent_id text NOT NULL,
    revision bigint NOT NULL,
    PRIMARY KEY (org_id, agent_id)
);

CREATE FUNCTION former_revision(p_org_id uuid, p_agent_id text) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce(max(revision), 0) FROM former_revisions WHERE org_id = p_org_id AND agent_id = p_agent_id
$$;

CREATE FUNCTION keep_revision(p_org_id uuid, p_agent_id text, p_revision bigint) RETURNS void LANGUAGE sql AS $$
    INSERT INTO former_revisions AS kept (org_id, agent_id, revision) VALUES (p_org_id, p_agent_id, p_revision)
    ON CONFLICT (org_id, agent_id) DO UPDATE SET revision = greatest(kept.revision, excluded.revision)
$$;

CREATE FUNCTION next_revision(p_revision bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT greatest(p_revision, coalesce(max(revision_floor), 0)) + 1 FROM installation
$$;

-- An insert that waited for the deletion of its own key has counted before that was committed.
CREATE FUNCTION begins_anew() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'agents' THEN
        PERFORM FROM former_revisions
        WHERE org_id = NEW.org_id AND agent_id = NEW.id AND revision >= NEW.saved_revision;
    ELSE
        PERFORM FROM former_revisions WHERE org_id = NEW.id AND agent_id = '' AND revision >= NEW.revision;
    END IF;
    IF FOUND THEN
        RAISE EXCEPTION 'it was deleted at this moment: try again' USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER agents_begin_anew AFTER INSERT ON agents FOR EACH ROW EXECUTE FUNCTION begins_anew();
CREATE TRIGGER organizations_begin_anew AFTER INSERT ON organizations FOR EACH ROW EXECUTE FUNCTION begins_anew();

CREATE FUNCTION organizations_keep_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM keep_revision(OLD.id, '', OLD.revision);
    RETURN NULL;
END $$;
CREATE TRIGGER organizations_keep_revision AFTER DELETE ON organizations
    FOR EACH ROW EXECUTE FUNCTION organizations_keep_revision();

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
