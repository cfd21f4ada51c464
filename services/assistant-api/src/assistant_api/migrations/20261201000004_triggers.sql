-- migrate:up

-- app.cause, app.request_id and app.traceparent are set for one transaction by whoever knows them; plain SQL sets
-- none and is a 'save' with a request id made here.

CREATE FUNCTION agents_count_save() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    given boolean;
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.saved_revision := next_revision(former_revision(NEW.org_id, NEW.id));
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
            -- Whoever works on the one before has lost the lease, and an answer that is under way says nothing.
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
        NEW.saved_revision := next_revision(OLD.saved_revision);
    END IF;
    NEW.updated_at := now();
    NEW.next_due := now();  -- a save is tried at once, whatever the back-off of the one before
    NEW.bulk := coalesce(current_setting('app.cause', true), '') = 'auto_sync'
        AND (TG_OP = 'INSERT' OR OLD.bulk
             OR OLD.saved_revision <= greatest(OLD.provisioned_revision, OLD.refused_revision));
    RETURN NEW;
END $$;

CREATE TRIGGER agents_count_insert BEFORE INSERT ON agents
    FOR EACH ROW EXECUTE FUNCTION agents_count_save();
CREATE TRIGGER agents_count_update
    BEFORE UPDATE OF org_id, id, name, system_prompt, first_message, voice, model, saved_revision, vapi_account,
                     vapi_assistant_id ON agents
    FOR EACH ROW EXECUTE FUNCTION agents_count_save();

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

CREATE FUNCTION agents_not_seen_yet() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.vapi_seen := false;
    RETURN NEW;
END $$;
CREATE TRIGGER agents_not_seen_yet BEFORE UPDATE OF vapi_account, vapi_assistant_id ON agents
    FOR EACH ROW WHEN (NEW.provisioner_writes = OLD.provisioner_writes
                       AND (NEW.vapi_account, NEW.vapi_assistant_id)
                           IS DISTINCT FROM (OLD.vapi_account, OLD.vapi_assistant_id))
    EXECUTE FUNCTION agents_not_seen_yet();

CREATE FUNCTION agents_record_save() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO saves (request_id, org_id, agent_id, revision, cause, traceparent)
    VALUES (
        coalesce(nullif(current_setting('app.request_id', true), '')::uuid, gen_random_uuid()),
        NEW.org_id,
        NEW.id,
        NEW.saved_revision,
        coalesce(nullif(current_setting('app.cause', true), ''), 'save'),
        nullif(current_setting('app.traceparent', true), '')
    );
    RETURN NULL;
END $$;

CREATE TRIGGER agents_record_insert AFTER INSERT ON agents
    FOR EACH ROW EXECUTE FUNCTION agents_record_save();
CREATE TRIGGER agents_record_update AFTER UPDATE ON agents
    FOR EACH ROW WHEN (NEW.saved_revision <> OLD.saved_revision) EXECUTE FUNCTION agents_record_save();

-- The one place that says AssistantSaved: revision N is in Vapi, and so is every open request up to N.
CREATE FUNCTION agents_publish_saved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    WITH settled AS (
        UPDATE saves SET state = 'saved', closed_at = now()
        WHERE org_id = NEW.org_id AND agent_id = NEW.id AND state = 'open' AND revision <= NEW.provisioned_revision
        RETURNING request_id, revision, cause, traceparent
    )
    INSERT INTO outbox (org_id, message_id, type, body, traceparent)
    SELECT NEW.org_id, s.request_id, 'zerotouch.AssistantSaved.v1',
           jsonb_build_object(
               'org_id', NEW.org_id,
               'request_id', s.request_id,
               'agent_id', NEW.id,
               'assistant_id', NEW.vapi_assistant_id,
               'revision', NEW.provisioned_revision,
               'model_hash', NEW.model_hash,
               'cause', s.cause),
           coalesce(s.traceparent, NEW.provision_traceparent)
    FROM settled s
    ORDER BY s.revision, s.request_id;
    RETURN NULL;
END $$;

CREATE TRIGGER agents_publish_saved AFTER UPDATE ON agents
    FOR EACH ROW WHEN (NEW.provisioned_revision > OLD.provisioned_revision) EXECUTE FUNCTION agents_publish_saved();

CREATE FUNCTION agents_close_refused() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE saves SET state = 'refused', closed_at = now()
    WHERE org_id = NEW.org_id AND agent_id = NEW.id AND state = 'open' AND revision <= NEW.refused_revision;
    RETURN NULL;
END $$;

CREATE TRIGGER agents_close_refused AFTER UPDATE ON agents
    FOR EACH ROW WHEN (NEW.refused_revision > OLD.refused_revision) EXECUTE FUNCTION agents_close_refused();

CREATE FUNCTION agents_publish_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE TRIGGER agents_publish_deleted AFTER DELETE ON agents
    FOR EACH ROW EXECUTE FUNCTION agents_publish_deleted();

CREATE FUNCTION organizations_count_save() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE TRIGGER organizations_count_save BEFORE INSERT OR UPDATE ON organizations
    FOR EACH ROW EXECUTE FUNCTION organizations_count_save();

CREATE FUNCTION organizations_publish() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO outbox (org_id, message_id, type, body, traceparent)
        VALUES (OLD.id, gen_random_uuid(), 'zerotouch.OrganizationDeleted.v1', jsonb_build_object('org_id', OLD.id),
                nullif(current_setting('app.traceparent', true), ''));
    ELSE
        INSERT INTO outbox (org_id, message_id, type, body, traceparent)
        VALUES (NEW.id, gen_random_uuid(), 'zerotouch.OrganizationSaved.v1',
                jsonb_build_object('org_id', NEW.id, 'revision', NEW.revision, 'name', NEW.name, 'tier', NEW.tier),
                nullif(current_setting('app.traceparent', true), ''));
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER organizations_publish_saved AFTER INSERT ON organizations
    FOR EACH ROW EXECUTE FUNCTION organizations_publish();
CREATE TRIGGER organizations_publish_changed AFTER UPDATE ON organizations
    FOR EACH ROW WHEN (NEW.revision <> OLD.revision) EXECUTE FUNCTION organizations_publish();
CREATE TRIGGER organizations_publish_deleted AFTER DELETE ON organizations
    FOR EACH ROW EXECUTE FUNCTION organizations_publish();

-- The foreign key would delete the agents too, but their messages would then follow their organization's last one.
CREATE FUNCTION organizations_delete_agents() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM agents WHERE org_id = OLD.id;
    RETURN OLD;
END $$;

CREATE TRIGGER organizations_delete_agents BEFORE DELETE ON organizations
    FOR EACH ROW EXECUTE FUNCTION organizations_delete_agents();

-- An agent that is made anew under an old id has no outcome yet. The row stays: its sequence keeps off older repeats.
CREATE FUNCTION agents_forget_outcome() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE outcomes SET assistant_id = NULL, revision = NULL WHERE org_id = OLD.org_id AND agent_id = OLD.id;
    RETURN NULL;
END $$;
CREATE TRIGGER agents_forget_outcome AFTER DELETE ON agents
    FOR EACH ROW EXECUTE FUNCTION agents_forget_outcome();

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
