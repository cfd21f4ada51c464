-- migrate:up
-- What is known of Vapi beside the log: its keys, what it said, and when what was looked at. A key is its fingerprint.

-- What replicas share about a key. half_open: after the pause one call is made by whoever writes probe_until first; its
-- answer lifts the pause or renews it. Operators see from here why a key is paused, without the log.
CREATE TABLE vapi_keys (
  key          text        PRIMARY KEY,
  paused_until timestamptz,
  half_open    boolean     NOT NULL DEFAULT false,
  probe_until  timestamptz,
  openings     int         NOT NULL DEFAULT 0,
  lifted_at    timestamptz,
  opened_at    timestamptz,  -- when a process last started with it: the newest is the key in use
  paused_since timestamptz,
  pause_reason text,         -- refused, broken or rate_limited
  pause_code   text          -- of the error catalogue, where the answer gave one
) WITH (fillfactor = 10);

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

-- A cache: what a read showed of a tool that an assistant names and the log does not know. Of no org: whose tool it is
-- is just what it says.
CREATE TABLE named_tools (
  account         text        NOT NULL,
  vapi_tool_id    text        NOT NULL,
  present         boolean     NOT NULL,
  name            text,
  installation_id uuid,
  org_id          uuid,
  read_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (account, vapi_tool_id)
);
CREATE INDEX named_tools_age ON named_tools (read_at);

-- When what was last looked at, off the path of saves: an assistant's traffic split, an org's own tools (agent_id ''),
-- and an account (the nil UUID) whose key may not read splits.
CREATE TABLE vapi_looks (
  kind      text        NOT NULL,
  org_id    uuid        NOT NULL,
  agent_id  text        NOT NULL,
  looked_at timestamptz NOT NULL,
  PRIMARY KEY (kind, org_id, agent_id)
) WITH (fillfactor = 70);

-- What Vapi said where it refused something, in its own words. They may repeat what a clinic wrote: so they stand in
-- the clinic's own rows, for 30 days, and in no log, event or span.
CREATE TABLE vapi_words (
  id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  org_id   uuid        NOT NULL,
  agent_id text,                 -- null: it was about a tool
  trace_id text,
  first_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  at       timestamptz NOT NULL DEFAULT clock_timestamp(),
  times    int         NOT NULL DEFAULT 1,
  route    text        NOT NULL, -- method and path, with {id} in the place of ids
  status   int,
  code     text        NOT NULL,
  words    text        NOT NULL CHECK (length(words) BETWEEN 1 AND 2000)
);
CREATE INDEX vapi_words_of_org ON vapi_words (org_id, at DESC);
CREATE INDEX vapi_words_of_agent ON vapi_words (agent_id, at DESC) WHERE agent_id IS NOT NULL;
CREATE INDEX vapi_words_of_trace ON vapi_words (trace_id) WHERE trace_id IS NOT NULL;
CREATE INDEX vapi_words_age ON vapi_words (at);

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
