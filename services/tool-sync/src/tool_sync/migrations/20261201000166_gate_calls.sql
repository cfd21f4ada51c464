-- migrate:up
-- Calls that a rollout's gate judges by (ADR 48): one row for each, by its message's id, so that none counts twice. Whose
-- call it was is not kept. judged_position: of the event that the call is newer than; rows go when it has no order any
-- more that waits on them, and there are at most 20,000 of each side.
CREATE TABLE gate_calls (
  judged_position bigint  NOT NULL,
  id              uuid    NOT NULL,
  is_new          boolean NOT NULL,
  failed          boolean NOT NULL,
  PRIMARY KEY (judged_position, id)
);
GRANT SELECT, INSERT, DELETE ON gate_calls TO tool_sync_service;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
