-- migrate:up

-- Tells readers that wait in other processes: one NOTIFY per call of append, however many events it stores. The append
-- lock puts commits in a row already, so the lock that NOTIFY takes at commit costs nothing more. A hint only: readers
-- look by themselves every second.
CREATE FUNCTION tell_readers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('tool_sync_events', '');
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION tell_readers() FROM PUBLIC;
CREATE TRIGGER events_are_told AFTER INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION tell_readers();

-- The id that this log had before it was restored from a backup and forked; null where it never was.
ALTER TABLE log ADD COLUMN forked_from uuid, ADD COLUMN forked_at timestamptz;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
