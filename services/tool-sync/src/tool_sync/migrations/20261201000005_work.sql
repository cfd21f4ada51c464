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
  processed_position bigint  NOT NULL DEFAULT 0,  -- up to where its last holder has worked it off
  dirty_position bigint      NOT NULL DEFAULT 0,  -- the newest one that was appended without the lease
  next_due       timestamptz,
  waits_for_key  text                             -- the key whose return makes the org due at once
) WITH (fillfactor = 70);
CREATE INDEX leases_due ON leases (next_due) WHERE next_due IS NOT NULL;
CREATE INDEX leases_waiting ON leases (next_due) WHERE waits_for_key IS NOT NULL;

-- A dead letter stays for ever; what was done about it is written beside it.
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
  acknowledged_at timestamptz,
  acknowledged_reason text,
  replayed_at timestamptz,
  CHECK ((acknowledged_at IS NULL) = (acknowledged_reason IS NULL))
);
-- A record is read again after a crash. At the same place of a topic that was made again lies another one.
CREATE UNIQUE INDEX dead_letters_of_record ON dead_letters (topic, partition, "offset", md5(value)) NULLS NOT DISTINCT;

-- How far a reader of the log has come, by its name.
CREATE TABLE cursors (
  name     text   PRIMARY KEY,
  position bigint NOT NULL
) WITH (fillfactor = 10);

-- What a restore has lost: tools of ours at Vapi that were made after the backup's newest event, as `log fork` listed
-- them once, for every org. A registration adopts the oldest of its org and name before it makes one.
CREATE TABLE lost_tools (
  account      text NOT NULL,
  vapi_tool_id text NOT NULL,
  org_id       uuid NOT NULL,
  name         text NOT NULL,
  created_at   timestamptz,  -- Vapi's
  PRIMARY KEY (account, vapi_tool_id)
);
CREATE INDEX lost_tools_of_org ON lost_tools (org_id, name);

-- How far a topic was seen, and what was lost of it until somebody has acknowledged that: a restart forgets neither.
CREATE TABLE topic_looks (
  topic text NOT NULL,
  partition int NOT NULL,
  read_to bigint NOT NULL,
  end_offset bigint NOT NULL,
  group_id text,  -- whose look it was: a group with another name reads from the beginning, and has forgotten nothing
  looked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (topic, partition)
);

CREATE TABLE lost_records (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  topic text NOT NULL,
  partition int NOT NULL,
  first_offset bigint NOT NULL,
  end_offset bigint NOT NULL,
  cause text NOT NULL,
  found_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  acknowledged_at timestamptz,
  acknowledged_reason text
);

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
