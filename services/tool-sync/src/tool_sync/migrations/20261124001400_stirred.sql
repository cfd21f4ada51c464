-- migrate:up
-- Who appends to a toolset stream without holding the org's lease leaves something there that the holder has not read,
-- and may die before it says so. So the append itself makes the org due.

-- The newest position that was appended so. Read beside looked_through, by whoever gives the lease back.
ALTER TABLE leases ADD COLUMN stirred bigint NOT NULL DEFAULT 0;

-- As append with nine arguments, and per request the token of the lease under which it was decided (null: under none).
-- A lease about to run out counts as lost: the next holder may read the log before this transaction is visible.
CREATE FUNCTION append(
  streams text[], org_ids uuid[], expected int[], metas text[], sizes int[],
  ids uuid[], types text[], schemas smallint[], datas text[], tokens uuid[]
) RETURNS TABLE (outcome text, first_position bigint, last_version int, at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
DECLARE
  n int := 0;
  heads bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(streams)]);  -- per request: its last position
  leased boolean := false;
BEGIN
  FOR outcome, first_position, last_version, at IN
    SELECT a.outcome, a.first_position, a.last_version, a.at
    FROM append(streams, org_ids, expected, metas, sizes, ids, types, schemas, datas) AS a
  LOOP
    n := n + 1;
    IF outcome = 'appended' AND tokens[n] IS NOT NULL THEN
      heads[n] := first_position + sizes[n] - 1;
      leased := true;
    END IF;
    RETURN NEXT;
  END LOOP;
  IF leased THEN
    UPDATE leases l
       SET stirred = greatest(l.stirred, u.head), next_due = least(l.next_due, clock_timestamp())
      FROM unnest(org_ids, tokens, heads) AS u (org_id, token, head)
     WHERE u.head IS NOT NULL AND l.org_id = u.org_id
       AND (l.token IS DISTINCT FROM u.token OR l.until < clock_timestamp() + interval '0.5 s');
  END IF;
END $$;
REVOKE ALL ON FUNCTION append(text[], uuid[], int[], text[], int[], uuid[], text[], smallint[], text[], uuid[])
  FROM PUBLIC;
GRANT EXECUTE ON FUNCTION append(text[], uuid[], int[], text[], int[], uuid[], text[], smallint[], text[], uuid[])
  TO tool_sync_service;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
