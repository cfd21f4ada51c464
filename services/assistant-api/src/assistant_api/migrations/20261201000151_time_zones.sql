-- migrate:up
-- A clinic's time zone is announced as its name and its tier are: tool-sync keeps to the clinic's own hours by it.
CREATE OR REPLACE FUNCTION organizations_count_save() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.revision := former_revision(NEW.id, '') + 1;
    ELSIF (NEW.name, NEW.tier, NEW.time_zone) IS DISTINCT FROM (OLD.name, OLD.tier, OLD.time_zone) THEN
        NEW.revision := OLD.revision + 1;
        NEW.updated_at := now();
    ELSE
        NEW.revision := OLD.revision;
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION organizations_publish() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO outbox (org_id, message_id, type, body, traceparent)
        VALUES (OLD.id, gen_random_uuid(), 'zerotouch.OrganizationDeleted.v1', jsonb_build_object('org_id', OLD.id),
                nullif(current_setting('app.traceparent', true), ''));
    ELSE
        INSERT INTO outbox (org_id, message_id, type, body, traceparent)
        VALUES (NEW.id, gen_random_uuid(), 'zerotouch.OrganizationSaved.v1',
                jsonb_build_object('org_id', NEW.id, 'revision', NEW.revision, 'name', NEW.name, 'tier', NEW.tier,
                                   'time_zone', NEW.time_zone),
                nullif(current_setting('app.traceparent', true), ''));
    END IF;
    RETURN NULL;
END $$;

-- Clinics whose zone is another one than the default are announced once more: nobody has heard of it.
ALTER TABLE organizations DISABLE TRIGGER organizations_count_save;
UPDATE organizations SET revision = revision + 1, updated_at = now() WHERE time_zone <> 'UTC';
ALTER TABLE organizations ENABLE TRIGGER organizations_count_save;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
