-- migrate:up

-- What operators did of which the event log says nothing, or not who and why (ADR 56). Kept as long as the log is.
CREATE TABLE operator_actions (
  id        bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  at        timestamptz NOT NULL DEFAULT clock_timestamp(),
  principal text NOT NULL CHECK (char_length(principal) BETWEEN 1 AND 200),
  db_user   text NOT NULL DEFAULT session_user,  -- the login that wrote the row: nobody says it of himself
  action    text NOT NULL CHECK (action ~ '^[a-z_]{1,40}\.[a-z_]{1,40}$'),
  object_id text CHECK (char_length(object_id) <= 300),
  reason    text NOT NULL CHECK (char_length(reason) BETWEEN 1 AND 200)
);

CREATE FUNCTION refuse_change_of_actions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'what operators did is never changed: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
REVOKE ALL ON FUNCTION refuse_change_of_actions() FROM PUBLIC;
CREATE TRIGGER operator_actions_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON operator_actions
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_actions();

GRANT SELECT, INSERT (principal, action, object_id, reason) ON operator_actions TO tool_sync_service;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
