-- migrate:up
-- The event log. Migrations only go forward: nothing here is ever dropped.

-- Roles belong to the cluster, not to this database: another installation may have made them already.
DO $$
DECLARE
  role_name text;
BEGIN
  FOREACH role_name IN ARRAY ARRAY['tool_sync_service', 'tool_sync_tenant'] LOOP
    BEGIN
      EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL;  -- it is there, which is all that was wanted
    END;
  END LOOP;
  -- SET without INHERIT: the process becomes a tenant on purpose (SET LOCAL ROLE), never by accident.
  IF NOT pg_has_role('tool_sync_service', 'tool_sync_tenant', 'MEMBER') THEN
    GRANT tool_sync_tenant TO tool_sync_service WITH INHERIT FALSE, SET TRUE;
  END IF;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'tool_sync')
     AND NOT pg_has_role('tool_sync', 'tool_sync_service', 'MEMBER') THEN
    GRANT tool_sync_service TO tool_sync;
  END IF;
END $$;

CREATE TABLE events (
  position    bigint      PRIMARY KEY CHECK (position > 0),  -- no holes, and equal to commit order
  stream      text        NOT NULL,
  version     int         NOT NULL CHECK (version > 0),      -- 1, 2, 3 .. in the stream
  event_id    uuid        NOT NULL UNIQUE,                   -- made from its cause: the idempotency key
  org_id      uuid,
  type        text        NOT NULL,
  schema      smallint    NOT NULL CHECK (schema > 0),
  data        jsonb       NOT NULL CHECK (jsonb_typeof(data) = 'object' AND pg_column_size(data) <= 65536),
  meta        jsonb       NOT NULL CHECK (jsonb_typeof(meta) = 'object' AND pg_column_size(meta) <= 8192),
  hash        bytea       NOT NULL CHECK (octet_length(hash) = 32),
  recorded_at timestamptz NOT NULL,
  UNIQUE (stream, version),
  CONSTRAINT stream_belongs_to_org CHECK (
    CASE WHEN org_id IS NULL THEN stream LIKE 'blueprint-_%' OR stream LIKE 'rollout-_%'
         ELSE stream IN ('org-' || org_id::text, 'toolset-' || org_id::text) END)
);
CREATE INDEX events_org_position ON events (org_id, position);
-- Coverage asks which tools clinics switched off: few events of a long log.
CREATE INDEX events_tool_settings ON events (org_id, (data ->> 'name'), position DESC)
  WHERE type = 'ToolSettingChanged';

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'events are never changed: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER events_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON events
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Tells readers that wait in other processes: one NOTIFY per call of append, however many events it stores. The append
-- lock puts commits in a row already, so the lock that NOTIFY takes at commit costs nothing more. A hint only: readers
-- look by themselves every second.
CREATE FUNCTION tell_readers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('tool_sync_events', '');
  RETURN NULL;
END $$;
CREATE TRIGGER events_are_told AFTER INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION tell_readers();

CREATE FUNCTION hash_part(value bytea) RETURNS bytea IMMUTABLE PARALLEL SAFE
  RETURN int4send(octet_length(value)) || value;

CREATE FUNCTION hash_part(value text) RETURNS bytea IMMUTABLE PARALLEL SAFE
  RETURN int4send(octet_length(value)) || convert_to(value, 'UTF8');

CREATE FUNCTION hash_time(value timestamptz) RETURNS text STABLE PARALLEL SAFE
  RETURN to_char(value AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

-- Of texts that are at hand already: append has them, and writing them anew would take as long as the hash.
CREATE FUNCTION hash_parts(
  previous bytea, stream text, version text, event_id text, type text, schema text,
  recorded_at text, data text, meta text
) RETURNS bytea IMMUTABLE PARALLEL SAFE
  RETURN sha256(
    hash_part(previous) || hash_part(stream) || hash_part(version) || hash_part(event_id) || hash_part(type)
    || hash_part(schema) || hash_part(recorded_at) || hash_part(data) || hash_part(meta));

CREATE FUNCTION event_hash(
  previous bytea, stream text, version int, event_id uuid, type text, schema smallint,
  recorded_at timestamptz, data jsonb, meta jsonb
) RETURNS bytea STABLE PARALLEL SAFE
  RETURN hash_parts(previous, stream, version::text, event_id::text, type, schema::text, hash_time(recorded_at),
                    data::text, meta::text);
COMMENT ON FUNCTION event_hash(bytea, text, int, uuid, text, smallint, timestamptz, jsonb, jsonb) IS
'SHA-256 over nine parts, in this order, with nothing between them. Each part is its length in bytes (4 bytes,
unsigned, big endian) and then its bytes: (1) the hash of the event before it in the stream, 32 raw bytes, or none for
version 1; then, as UTF-8 text: (2) stream; (3) version in decimal; (4) event_id in lower case with hyphens; (5) type;
(6) schema in decimal; (7) recorded_at in UTC as 2026-01-31T23:59:59.123456Z, always six digits; (8) data and (9) meta,
each as PostgreSQL writes the jsonb value back as text.';

-- The log itself: subscribers notice by its id when the database was restored or replaced.
CREATE TABLE log (
  single      boolean     PRIMARY KEY DEFAULT true CHECK (single),
  log_id      uuid        NOT NULL,
  created_at  timestamptz NOT NULL,
  forked_from uuid,        -- its id before it was restored from a backup and forked; null: never was
  forked_at   timestamptz
);
INSERT INTO log (log_id, created_at) VALUES (gen_random_uuid(), clock_timestamp());

-- Whose Vapi objects this database knows. Written at the first start, compared at every later one.
CREATE TABLE installation (
  single          boolean PRIMARY KEY DEFAULT true CHECK (single),
  installation_id uuid    NOT NULL
);

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
