-- migrate:up

-- Bulk work is claimed in turns of clinics, too, and of each only so much at once (ADR 69).
CREATE INDEX agents_pending_bulk_in_turns ON agents (org_id, next_due)
    WHERE saved_revision > greatest(provisioned_revision, refused_revision) AND bulk;
DROP INDEX agents_pending_bulk;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
