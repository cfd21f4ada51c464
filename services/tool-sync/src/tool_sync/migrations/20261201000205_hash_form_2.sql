-- migrate:up
-- Form 2 of the hashes: each event's hash covers its position, its time and the event before it in the whole log, so
-- that the newest hash stands for all of it. Under form 1 each stream had a chain of its own, which said nothing of the
-- order between streams. What was written under form 1 stays as it is; see docs/adr/0060.

-- Where a form begins. `origin` is what the hash of its first event follows: the digest of all events before it.
CREATE TABLE hash_forms (
  form           smallint PRIMARY KEY CHECK (form = 2),
  first_position bigint   NOT NULL CHECK (first_position > 0),
  origin         bytea    NOT NULL CHECK (octet_length(origin) IN (0, 32))
);
GRANT SELECT ON hash_forms TO tool_sync_service;

CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% are never changed: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER hash_forms_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON hash_forms
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION time_micros(value timestamptz) RETURNS bigint STABLE PARALLEL SAFE
  RETURN (extract(epoch FROM value) * 1000000)::bigint;

-- Of texts that are at hand already: append has them, and writing them anew would take as long as the hash.
CREATE FUNCTION position_hash(
  previous bytea, "position" bigint, recorded_micros bigint, stream text, version int, event_id uuid, org_id uuid,
  type text, schema smallint, data text, meta text
) RETURNS bytea IMMUTABLE PARALLEL SAFE
  RETURN sha256(
    '\x02'::bytea || int4send(octet_length(previous)) || previous || int8send("position") || int8send(recorded_micros)
    || int4send(version) || int2send(schema) || uuid_send(event_id)
    || coalesce(uuid_send(org_id), '\x00000000000000000000000000000000'::bytea)
    || int4send(octet_length(stream)) || convert_to(stream, 'UTF8')
    || int4send(octet_length(type)) || convert_to(type, 'UTF8')
    || int4send(octet_length(data)) || convert_to(data, 'UTF8')
    || int4send(octet_length(meta)) || convert_to(meta, 'UTF8'));
COMMENT ON FUNCTION position_hash(bytea, bigint, bigint, text, int, uuid, uuid, text, smallint, text, text) IS
'Form 2: SHA-256 over these, in this order, with nothing between them; all integers are signed and big endian. The byte
2; the number of bytes of the hash of the event before it in the log (4 bytes) and those bytes, which are 32, or none
for position 1; position (8 bytes); recorded_at in microseconds since 1970-01-01 UTC (8 bytes); version (4 bytes);
schema (2 bytes); event_id (16 bytes); org_id (16 bytes, all zero where it is null). Then, each as its number of bytes
(4 bytes) and its UTF-8 text: stream; type; data and meta, as PostgreSQL writes the jsonb value back as text. The first
event of the form follows, instead of a hash, the origin in hash_forms.';

-- A page of the digest of a log of form 1, after the digest of the pages before it. A page has 20,000 positions.
CREATE FUNCTION older_digest(previous bytea, after_position bigint, through_position bigint) RETURNS bytea
STABLE PARALLEL SAFE
  RETURN (SELECT sha256(previous || coalesce(string_agg(int8send(e.position) || e.hash, ''::bytea ORDER BY e.position),
                                             ''::bytea))
            FROM events e WHERE e.position > after_position AND e.position <= through_position);
COMMENT ON FUNCTION older_digest(bytea, bigint, bigint) IS
'The origin of form 2: SHA-256 over the digest of the page before (32 bytes, or none) and of each event of the page its
position (8 bytes, big endian) and its hash. Pages begin at positions 1, 20001, 40001 and so on; no event: no bytes.';

-- Only what is written from here on has form 2, so nothing may be appended until this is committed.
SELECT pg_advisory_xact_lock(7311);
DO $$
DECLARE
  page CONSTANT bigint := 20000;
  head bigint := (SELECT coalesce(max(e.position), 0) FROM events e);
  digest bytea := '';
  start bigint := 0;
BEGIN
  WHILE start < head LOOP
    digest := older_digest(digest, start, least(head, start + page));
    start := start + page;
  END LOOP;
  INSERT INTO hash_forms (form, first_position, origin) VALUES (2, head + 1, digest);
END $$;

-- Form 1, as verify needs it, by itself.
CREATE OR REPLACE FUNCTION event_hash(
  previous bytea, stream text, version int, event_id uuid, type text, schema smallint,
  recorded_at timestamptz, data jsonb, meta jsonb
) RETURNS bytea STABLE PARALLEL SAFE
  RETURN sha256(
    hash_part(previous) || hash_part(stream) || hash_part(version::text) || hash_part(event_id::text) || hash_part(type)
    || hash_part(schema::text) || hash_part(hash_time(recorded_at)) || hash_part(data::text) || hash_part(meta::text));

-- A call of append that began before this migration waits for the lock with the older body, and would write form 1 where
-- form 2 is due. It calls this, fails as for a lost race, and its caller sends it again.
CREATE OR REPLACE FUNCTION hash_parts(
  previous bytea, stream text, version text, event_id text, type text, schema text,
  recorded_at text, data text, meta text
) RETURNS bytea IMMUTABLE PARALLEL SAFE LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the log has changed to form 2 of its hashes: append again' USING ERRCODE = 'serialization_failure';
END $$;

-- The only writer of events and projections: one call, in autocommit, for many requests.
--
-- Per request: streams, org_ids, expected (null: any version), metas, sizes (its number of events), tokens (of the
-- lease under which it was decided; null: under none). Per event, request by request: ids, types, schemas, datas.
-- Answers one row per request, in order:
--   appended   first_position, last_version, at of its own events
--   duplicate  the same, of the events stored earlier under its ids; nothing written
--   conflict   last_version is where the stream stands; nothing written
-- A request sees those before it in the same call. One that is stored in part, or in another stream, fails the whole
-- call with ZT001, as any bad value does: the caller repeats in halves.
CREATE OR REPLACE FUNCTION append(
  streams text[], org_ids uuid[], expected int[], metas text[], sizes int[],
  ids uuid[], types text[], schemas smallint[], datas text[], tokens uuid[]
) RETURNS TABLE (outcome text, first_position bigint, last_version int, at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
SET enable_seqscan = off             -- plans are kept from when the log was empty: they must be those of a full one
SET plan_cache_mode = force_generic_plan
SET enable_hashjoin = off            -- .. and a join looks up the few rows of this call, never reads a table whole
SET enable_mergejoin = off
SET jit = off
AS $$
DECLARE
  tail_limit CONSTANT bigint := 50000;  -- a projection further behind is left to a rebuild
  start bigint;                         -- position of the newest event before this call
  head bigint;
  now_at timestamptz;
  now_micros bigint;
  previous bytea;                       -- the hash of the newest event so far
  meta_text text;
  data_text text;
  meta_values jsonb[] := metas::jsonb[];
  data_values jsonb[] := datas::jsonb[];
  stream_of int[];                      -- per request: the number of its stream; per stream: where it stands
  versions int[];
  id_of int[];                          -- per event: the number of its id; per id: where it is stored
  id_positions bigint[];
  id_versions int[];
  id_streams text[];
  id_times timestamptz[];
  repeats boolean;                      -- some id is stored already, or comes twice in this call
  -- Per event, null where it is not written. Full length from the start: an array that is first assigned in its middle
  -- begins there, and unnest would pair it with the wrong events.
  request_of int[] := array_fill(NULL::int, ARRAY[cardinality(ids)]);
  event_positions bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(ids)]);
  event_versions int[] := array_fill(NULL::int, ARRAY[cardinality(ids)]);
  event_hashes bytea[] := array_fill(NULL::bytea, ARRAY[cardinality(ids)]);
  leased boolean := false;              -- some request was decided under a lease
  heads bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(streams)]);  -- per such request: its last position
  s int;
  i int;
  last int := 0;
  first int;
  present int;
  projection record;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'append needs READ COMMITTED: a snapshot older than the lock cannot see the newest position'
      USING ERRCODE = 'invalid_transaction_state';
  END IF;
  IF cardinality(ids) IS DISTINCT FROM (SELECT sum(u.size) FROM unnest(sizes) AS u (size)) OR 1 > ANY (sizes) THEN
    RAISE EXCEPTION 'append: % events, but the sizes are %', cardinality(ids), sizes USING ERRCODE = 'ZT001';
  END IF;
  PERFORM set_config('idle_in_transaction_session_timeout', '1s', true);  -- nobody idles while holding the lock
  PERFORM pg_advisory_xact_lock(7311);  -- a statement of its own: the next one's snapshot is taken after the wait

  SELECT e.position, e.recorded_at, CASE WHEN e.position < f.first_position THEN f.origin ELSE e.hash END
    INTO start, now_at, previous
  FROM events e CROSS JOIN hash_forms f ORDER BY e.position DESC LIMIT 1;
  start := coalesce(start, 0);
  head := start;
  previous := coalesce(previous, '');
  now_at := greatest(clock_timestamp(), now_at);  -- a clock that is set back makes equal times, never earlier ones
  now_micros := time_micros(now_at);

  SELECT array_agg(d.number ORDER BY d.n) INTO stream_of
  FROM (SELECT dense_rank() OVER (ORDER BY u.stream) AS number, u.n
        FROM unnest(streams) WITH ORDINALITY AS u (stream, n)) d;
  SELECT array_agg(coalesce(h.version, 0) ORDER BY d.stream) INTO versions
  FROM (SELECT DISTINCT u.stream FROM unnest(streams) AS u (stream)) d
  LEFT JOIN LATERAL (SELECT e.version FROM events e WHERE e.stream = d.stream
                     ORDER BY e.version DESC LIMIT 1) h ON true;

  SELECT count(DISTINCT u.id) < cardinality(ids) OR count(k.found) > 0 INTO repeats
  FROM unnest(ids) AS u (id)
  LEFT JOIN LATERAL (SELECT true AS found FROM events e WHERE e.event_id = u.id LIMIT 1) k ON true;
  IF repeats THEN
    SELECT array_agg(d.number ORDER BY d.n) INTO id_of
    FROM (SELECT dense_rank() OVER (ORDER BY u.id) AS number, u.n FROM unnest(ids) WITH ORDINALITY AS u (id, n)) d;
    SELECT array_agg(k.position ORDER BY d.id), array_agg(k.version ORDER BY d.id), array_agg(k.stream ORDER BY d.id),
           array_agg(k.recorded_at ORDER BY d.id)
      INTO id_positions, id_versions, id_streams, id_times
    FROM (SELECT DISTINCT u.id FROM unnest(ids) AS u (id)) d
    LEFT JOIN LATERAL (SELECT e.position, e.version, e.stream, e.recorded_at FROM events e
                       WHERE e.event_id = d.id LIMIT 1) k ON true;
  END IF;

  FOR r IN 1 .. cardinality(streams) LOOP
    first := last + 1;
    last := last + sizes[r];
    s := stream_of[r];

    IF repeats THEN
      present := 0;
      FOR j IN first .. last LOOP
        i := id_of[j];
        IF id_positions[i] IS NOT NULL THEN
          present := present + 1;
          IF id_streams[i] <> streams[r] THEN
            RAISE EXCEPTION '%: event % is stored in %', streams[r], ids[j], id_streams[i] USING ERRCODE = 'ZT001';
          END IF;
        END IF;
      END LOOP;
      IF present = sizes[r] THEN
        outcome := 'duplicate';
        first_position := id_positions[id_of[first]];
        last_version := id_versions[id_of[last]];
        at := id_times[id_of[first]];
        RETURN NEXT;
        CONTINUE;
      ELSIF present > 0 THEN
        RAISE EXCEPTION '%: % of % events are stored already', streams[r], present, sizes[r] USING ERRCODE = 'ZT001';
      END IF;
    END IF;

    IF expected[r] <> versions[s] THEN
      outcome := 'conflict';
      first_position := NULL;
      last_version := versions[s];
      at := NULL;
      RETURN NEXT;
      CONTINUE;
    END IF;

    outcome := 'appended';
    first_position := head + 1;
    meta_text := meta_values[r];
    FOR j IN first .. last LOOP
      head := head + 1;
      last_version := versions[s] + 1;
      versions[s] := last_version;
      data_text := data_values[j];
      previous := position_hash(
        previous, head, now_micros, streams[r], last_version, ids[j], org_ids[r], types[j], schemas[j], data_text,
        meta_text);
      request_of[j] := r;
      event_positions[j] := head;
      event_versions[j] := last_version;
      event_hashes[j] := previous;
      IF repeats THEN
        i := id_of[j];
        id_positions[i] := head;
        id_versions[i] := last_version;
        id_streams[i] := streams[r];
        id_times[i] := now_at;
      END IF;
    END LOOP;
    at := now_at;
    RETURN NEXT;
    IF tokens[r] IS NOT NULL THEN
      heads[r] := head;
      leased := true;
    END IF;
  END LOOP;

  IF head = start THEN
    RETURN;
  END IF;
  INSERT INTO events (position, stream, version, event_id, org_id, type, schema, data, meta, hash, recorded_at)
  SELECT u.position, streams[u.request], u.version, u.id, org_ids[u.request], u.type, u.schema, u.data,
         meta_values[u.request], u.hash, now_at
  FROM unnest(event_positions, request_of, event_versions, event_hashes, ids, types, schemas, data_values)
    AS u (position, request, version, hash, id, type, schema, data)
  WHERE u.position IS NOT NULL;

  FOR projection IN
    SELECT p.name, coalesce(p.position, start) AS position FROM projections p
    WHERE CASE WHEN p.position IS NULL THEN p.types IS NULL OR p.types && append.types
               ELSE head - p.position <= tail_limit END
    ORDER BY p.name
  LOOP
    EXECUTE format('SELECT %I($1, $2)', 'fold_' || projection.name) USING projection.position, head;
  END LOOP;
  -- Only what was behind is written: a row that every append updates is a chain of versions for who reads an old one.
  UPDATE projections p SET position = NULL WHERE head - p.position <= tail_limit;

  -- Who appends to a toolset stream without holding the org's lease leaves something there that the holder has not
  -- read, and may die before it says so: the append itself makes the org due. A lease about to run out counts as
  -- lost, as the next holder may read the log before this transaction is visible.
  IF leased THEN
    UPDATE leases l
       SET dirty_position = greatest(l.dirty_position, u.head), next_due = least(l.next_due, clock_timestamp())
      FROM unnest(org_ids, tokens, heads) AS u (org_id, token, head)
     WHERE u.head IS NOT NULL AND l.org_id = u.org_id
       AND (l.token IS DISTINCT FROM u.token OR l.until < clock_timestamp() + interval '0.5 s');
  END IF;
END $$;

REVOKE ALL ON FUNCTION time_micros(timestamptz), older_digest(bytea, bigint, bigint),
  position_hash(bytea, bigint, bigint, text, int, uuid, uuid, text, smallint, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION time_micros(timestamptz), older_digest(bytea, bigint, bigint),
  position_hash(bytea, bigint, bigint, text, int, uuid, uuid, text, smallint, text, text) TO tool_sync_service;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
