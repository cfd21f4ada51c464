-- migrate:up
-- What replicas share about a key of Vapi: its pauses, and its requests per UTC minute. A key is its fingerprint.

-- on_trial: after the pause one call is made by whoever writes probe_until first; its answer lifts the pause or renews it.
ALTER TABLE vapi_keys
  DROP COLUMN minute,
  DROP COLUMN used,
  ADD COLUMN on_trial    boolean NOT NULL DEFAULT false,
  ADD COLUMN probe_until timestamptz,
  ADD COLUMN openings    int     NOT NULL DEFAULT 0,
  ADD COLUMN lifted_at   timestamptz;

-- granted: what the last taker got. allowed: lowered by Vapi's 429, null where only the setting limits.
CREATE TABLE key_minutes (
  key     text   NOT NULL,
  minute  bigint NOT NULL,
  used    int    NOT NULL,
  granted int    NOT NULL,
  allowed int,
  PRIMARY KEY (key, minute)
) WITH (fillfactor = 50);

-- The pauses of the last day: this time counts against nobody.
CREATE TABLE key_pauses (
  key    text        NOT NULL,
  since  timestamptz NOT NULL,
  until  timestamptz NOT NULL,
  reason text        NOT NULL
);
CREATE INDEX key_pauses_until ON key_pauses (until);

-- The key whose return makes the org due at once.
ALTER TABLE leases ADD COLUMN waits_for_key text;
CREATE INDEX leases_waiting ON leases (next_due) WHERE waits_for_key IS NOT NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON key_minutes, key_pauses TO tool_sync_service;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
