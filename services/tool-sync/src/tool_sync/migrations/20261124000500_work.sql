-- migrate:up
-- What the process needs to work and may lose or change: none of it is a record of what happened.

-- A cache: the state of an org's streams up to a position. fold: the number of the code that made it.
CREATE TABLE snapshots (
  org_id   uuid   PRIMARY KEY,
  fold     int    NOT NULL,
  position bigint NOT NULL,
  state    jsonb  NOT NULL
);

CREATE TABLE leases (
  org_id         uuid        PRIMARY KEY,
  token          uuid,
  until          timestamptz,
  looked_through bigint      NOT NULL DEFAULT 0,
  next_due       timestamptz
) WITH (fillfactor = 70);
CREATE INDEX leases_due ON leases (next_due) WHERE next_due IS NOT NULL;

CREATE TABLE dead_letters (
  id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  topic       text        NOT NULL,
  partition   int         NOT NULL,
  "offset"    bigint      NOT NULL,
  key         bytea,
  headers     jsonb       NOT NULL,
  value       bytea,
  reason      text        NOT NULL,
  org_id      uuid,
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (topic, partition, "offset")
);

-- How far a reader of the log has come, by its name.
CREATE TABLE cursors (
  name     text   PRIMARY KEY,
  position bigint NOT NULL
) WITH (fillfactor = 10);

-- The shared allowance of a Vapi key: requests taken in the current minute, and until when it is paused.
CREATE TABLE vapi_keys (
  key          text        PRIMARY KEY,
  minute       bigint      NOT NULL,
  used         int         NOT NULL,
  paused_until timestamptz
) WITH (fillfactor = 10);

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
