-- migrate:up

-- Saves are claimed in turns of clinics (ADR 53), bulk work in the order in which it is due.
CREATE INDEX agents_pending_saves ON agents (org_id, next_due)
    WHERE saved_revision > greatest(provisioned_revision, refused_revision) AND NOT bulk;
CREATE INDEX agents_pending_bulk ON agents (next_due)
    WHERE saved_revision > greatest(provisioned_revision, refused_revision) AND bulk;
DROP INDEX agents_pending;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
