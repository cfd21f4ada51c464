-- migrate:up

-- A dead letter stays for ever; what was done about it is written beside it.
ALTER TABLE dead_letters
  ADD COLUMN acknowledged_at     timestamptz,
  ADD COLUMN acknowledged_reason text,
  ADD COLUMN replayed_at         timestamptz,
  ADD CHECK ((acknowledged_at IS NULL) = (acknowledged_reason IS NULL));

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
