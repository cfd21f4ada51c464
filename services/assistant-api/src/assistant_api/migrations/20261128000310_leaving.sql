-- migrate:up

-- Who leaves an assistant takes out of it what is ours (ADR 22). A row is written by trigger, so plain SQL does the same.

-- Whether we made the assistant that the row names. Of those that were there nobody knows: an adopted one looks like one
-- that was made. They count as adopted, so their agents' deletion leaves them at Vapi, without our tools.
ALTER TABLE agents ADD COLUMN vapi_made boolean NOT NULL DEFAULT false;
-- Counted up by each statement of the provisioner that stores or forgets an assistant's id. An id that changes while this
-- stands still was given by somebody: a save.
ALTER TABLE agents ADD COLUMN provisioner_writes bigint NOT NULL DEFAULT 0;

-- Either of the two: to be deleted (vapi_assistant_id, or what attempt_id made), or to be released. A process of the
-- release before knows only of the first, and passes over the second.
ALTER TABLE removals ADD COLUMN released_assistant_id text;
-- A write of this row's that may still land: whoever takes the assistant waits for it.
ALTER TABLE removals ADD COLUMN write_at timestamptz;
ALTER TABLE removals DROP CONSTRAINT removals_check;
ALTER TABLE removals ADD CONSTRAINT removals_check CHECK (num_nonnulls(vapi_assistant_id, released_assistant_id) <= 1
    AND num_nonnulls(vapi_assistant_id, released_assistant_id, attempt_id) >= 1);
CREATE UNIQUE INDEX removals_released ON removals (vapi_account, released_assistant_id, org_id, agent_id);

-- What the newest life of a deleted agent had come to; '' is the organization itself. A life begins above it, so that
-- nothing that was said of the one before is taken for its own. Never pruned.
CREATE TABLE former_revisions (
    org_id   uuid NOT NULL,
    agent_id text NOT NULL,
    revision bigint NOT NULL,
    PRIMARY KEY (org_id, agent_id)
);
ALTER TABLE former_revisions ENABLE ROW LEVEL SECURITY;
ALTER TABLE former_revisions FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON former_revisions TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY service_all ON former_revisions TO assistant_api_service USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON former_revisions TO assistant_api_service;

CREATE FUNCTION former_revision(p_org_id uuid, p_agent_id text) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce(max(revision), 0) FROM former_revisions WHERE org_id = p_org_id AND agent_id = p_agent_id
$$;
CREATE FUNCTION keep_revision(p_org_id uuid, p_agent_id text, p_revision bigint) RETURNS void LANGUAGE sql AS $$
    INSERT INTO former_revisions AS kept (org_id, agent_id, revision) VALUES (p_org_id, p_agent_id, p_revision)
    ON CONFLICT (org_id, agent_id) DO UPDATE SET revision = greatest(kept.revision, excluded.revision)
$$;

CREATE OR REPLACE FUNCTION agents_count_save() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    given boolean;
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.saved_revision := former_revision(NEW.org_id, NEW.id) + 1;
        NEW.provisioned_revision := 0;
        NEW.refused_revision := 0;
        NEW.vapi_made := false;
    ELSE
        IF (NEW.org_id, NEW.id) IS DISTINCT FROM (OLD.org_id, OLD.id) THEN
            RAISE EXCEPTION 'an agent keeps its organization and its id: delete it and insert another'
                USING ERRCODE = 'restrict_violation';
        END IF;
        given := (NEW.vapi_account, NEW.vapi_assistant_id) IS DISTINCT FROM (OLD.vapi_account, OLD.vapi_assistant_id)
            AND NEW.provisioner_writes = OLD.provisioner_writes;
        IF given THEN
            -- Whoever works on the one before has lost the lease, and an answer of Vapi's that is under way says nothing.
            NEW.vapi_made := false;
            NEW.lease_token := NULL;
            NEW.lease_until := NULL;
            NEW.attempt_id := NULL;
            NEW.attempt_at := NULL;
            NEW.attempt_creates := NULL;
        ELSIF NEW.saved_revision = OLD.saved_revision
           AND (NEW.name, NEW.system_prompt, NEW.first_message, NEW.voice, NEW.model)
               IS NOT DISTINCT FROM (OLD.name, OLD.system_prompt, OLD.first_message, OLD.voice, OLD.model) THEN
            RETURN NEW;
        END IF;
        NEW.saved_revision := OLD.saved_revision + 1;
    END IF;
    NEW.updated_at := now();
    NEW.next_due := now();  -- a save is tried at once, whatever the back-off of the one before
    NEW.bulk := coalesce(current_setting('app.cause', true), '') = 'auto_sync'
        AND (TG_OP = 'INSERT' OR OLD.bulk OR OLD.saved_revision <= greatest(OLD.provisioned_revision, OLD.refused_revision));
    RETURN NEW;
END $$;

DROP TRIGGER agents_count_update ON agents;
CREATE TRIGGER agents_count_update
    BEFORE UPDATE OF org_id, id, name, system_prompt, first_message, voice, model, saved_revision, vapi_account,
                     vapi_assistant_id ON agents
    FOR EACH ROW EXECUTE FUNCTION agents_count_save();

CREATE FUNCTION release_assistant(p_org_id uuid, p_agent_id text, p_account text, p_assistant_id text)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO removals (org_id, agent_id, vapi_account, released_assistant_id, traceparent, created_at)
    VALUES (p_org_id, p_agent_id, p_account, p_assistant_id, nullif(current_setting('app.traceparent', true), ''),
            clock_timestamp())
    ON CONFLICT (vapi_account, released_assistant_id, org_id, agent_id) DO UPDATE
    SET created_at = excluded.created_at, next_due = now(), traceparent = excluded.traceparent
$$;

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

CREATE OR REPLACE FUNCTION agents_remove_assistant() RETURNS trigger LANGUAGE plpgsql AS $$
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

-- As before, with the revision that this life had come to.
CREATE OR REPLACE FUNCTION agents_publish_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM keep_revision(OLD.org_id, OLD.id, OLD.saved_revision);
    UPDATE saves SET state = 'deleted', closed_at = now()
    WHERE org_id = OLD.org_id AND agent_id = OLD.id AND state = 'open';
    IF OLD.provisioned_revision > 0 THEN  -- nobody has heard of the others
        INSERT INTO outbox (org_id, message_id, type, body, traceparent)
        VALUES (OLD.org_id, gen_random_uuid(), 'zerotouch.AssistantDeleted.v1',
                jsonb_build_object('org_id', OLD.org_id, 'agent_id', OLD.id, 'assistant_id', OLD.vapi_assistant_id,
                                   'revision', OLD.saved_revision),
                nullif(current_setting('app.traceparent', true), ''));
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION organizations_count_save() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.revision := former_revision(NEW.id, '') + 1;
    ELSIF (NEW.name, NEW.tier) IS DISTINCT FROM (OLD.name, OLD.tier) THEN
        NEW.revision := OLD.revision + 1;
        NEW.updated_at := now();
    ELSE
        NEW.revision := OLD.revision;
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION organizations_keep_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM keep_revision(OLD.id, '', OLD.revision);
    RETURN NULL;
END $$;
CREATE TRIGGER organizations_keep_revision AFTER DELETE ON organizations
    FOR EACH ROW EXECUTE FUNCTION organizations_keep_revision();

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

-- As before, but the heals of an earlier life under the same id are not this one's.
CREATE OR REPLACE FUNCTION heal(
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
          AND created_at > now() - interval '1 hour' AND revision > former_revision(p_org_id, p_agent_id)) >= p_limit THEN
        RETURN 'exhausted';
    END IF;
    PERFORM request_save(p_org_id, p_agent_id, 'repair', p_request_id, p_traceparent);
    RETURN 'healed';
END $$;

-- migrate:down

DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
