-- migrate:up
-- The last 8 different pairs of a list, each where it came last, newest last.
CREATE FUNCTION last_saved(pairs jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_agg(pair ORDER BY last)
  FROM (SELECT pair, max(n) AS last FROM jsonb_array_elements(pairs) WITH ORDINALITY AS x (pair, n)
        GROUP BY pair ORDER BY last DESC LIMIT 8) kept
$$;

-- last_saved(old || new), without the work for what nearly always comes: one new pair, or the newest one again.
CREATE FUNCTION keep_saved(old jsonb, new jsonb) RETURNS jsonb IMMUTABLE
  RETURN CASE
    WHEN jsonb_array_length(new) > 1 THEN last_saved(old || new)
    WHEN old -> -1 = new -> 0 THEN old
    WHEN old @> new THEN last_saved(old || new)
    WHEN jsonb_array_length(old) < 8 THEN old || new
    ELSE (old - 0) || new
  END;

-- A row is fed by eight types of event: found are the newest event of each kind, then the row is written once.
-- `removed` depends on the order of saves and removals: a removal counts if it names the assistant of its time (or
-- none) or is of a revision not below the row's, until a save brings another assistant, or a revision above the
-- removal's: an agent made anew under its id.
-- Where the row names no assistant yet, a removal names it.
CREATE FUNCTION fold_assistants(from_position bigint, to_position bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  WITH e AS MATERIALIZED (
    SELECT org_id, data->>'agent_id' AS agent_id, position, type, data, data->>'assistant_id' AS assistant_id,
           CASE type WHEN 'AssistantRemoved' THEN (data->>'revision')::bigint END AS through,
           CASE type WHEN 'AssistantRemoved' THEN (
             SELECT s.data FROM events s  -- the newest save before it in the range
             WHERE s.position > from_position AND s.position < events.position AND s.type = 'SyncRequested'
               AND s.org_id = events.org_id AND s.data->>'agent_id' = events.data->>'agent_id'
             ORDER BY s.position DESC LIMIT 1) END AS before
    FROM events
    WHERE position > from_position AND position <= to_position AND data->>'agent_id' IS NOT NULL
      AND type IN ('SyncRequested', 'AssistantRemoved', 'AssistantLinked', 'AssistantSynced', 'AssistantSyncFailed',
                   'AssistantDiverged', 'DriftDetected', 'TrafficSplitSeen')
  ), newest AS (
    SELECT org_id, agent_id, max(position) AS position,
           max(position) FILTER (WHERE type = 'SyncRequested') AS save_at,
           max(position) FILTER (WHERE type = 'AssistantLinked') AS link_at,
           max(position) FILTER (WHERE type IN ('AssistantSynced', 'AssistantSyncFailed')) AS outcome_at,
           max(position) FILTER (WHERE type = 'AssistantDiverged') AS diverged_at,
           max(position) FILTER (WHERE type = 'DriftDetected') AS drift_at,
           max(position) FILTER (WHERE type = 'AssistantRemoved') AS removal_at,
           max(position) FILTER (WHERE type = 'TrafficSplitSeen') AS split_at,
           jsonb_agg(jsonb_build_array(data->'revision', data->'model_hash') ORDER BY position)
             FILTER (WHERE type = 'SyncRequested') AS saved
    FROM e GROUP BY org_id, agent_id
  )
  INSERT INTO assistants AS a (org_id, agent_id, assistant_id, revision, saved, base_hash, model_hash,
      linked_revision, linked, synced_tools, outcome, code, look_at, settled_revision, settled_assistant_id,
      diverged_revision, drift_hash, removed, removed_revision, split, linked_version, position)
  SELECT n.org_id, n.agent_id, coalesce(save.data->>'assistant_id', first.assistant_id),
         coalesce((save.data->>'revision')::bigint, old.revision),
         CASE WHEN n.saved IS NULL THEN coalesce(old.saved, '[]')
              ELSE keep_saved(coalesce(old.saved, '[]'), n.saved) END,
         coalesce(link.data->>'base_hash', old.base_hash),
         coalesce(link.data->>'model_hash', old.model_hash),
         coalesce((link.data->>'revision')::bigint, old.linked_revision),
         coalesce(link.data->'tools', old.linked),
         coalesce(done.data->'tools', old.synced_tools),
         CASE done.type WHEN 'AssistantSynced' THEN 'synced' WHEN 'AssistantSyncFailed' THEN 'failed'
                        ELSE old.outcome END,
         CASE WHEN done.position IS NULL THEN old.code ELSE coalesce(done.data->>'code', done.data->>'reason') END,
         CASE WHEN done.position IS NULL THEN old.look_at ELSE (done.data->>'look_at')::timestamptz END,
         CASE WHEN done.position IS NULL THEN old.settled_revision ELSE (done.data->>'revision')::bigint END,
         CASE WHEN done.position IS NULL THEN old.settled_assistant_id ELSE done.data->>'assistant_id' END,
         coalesce((diverged.data->>'revision')::bigint, old.diverged_revision),
         coalesce(drift.data->>'model_hash', old.drift_hash),
         removal.removed AND NOT anew.anew,
         CASE WHEN last.position IS NULL THEN old.removed_revision ELSE last.revision END,
         coalesce(split.data, old.split),
         CASE WHEN link.position IS NULL THEN old.linked_version ELSE link.data->>'vapi_version' END, n.position
  FROM newest n
  LEFT JOIN assistants old ON old.org_id = n.org_id AND old.agent_id = n.agent_id
  LEFT JOIN events save ON save.position = n.save_at
  LEFT JOIN events link ON link.position = n.link_at
  LEFT JOIN events done ON done.position = n.outcome_at
  LEFT JOIN events diverged ON diverged.position = n.diverged_at
  LEFT JOIN events drift ON drift.position = n.drift_at
  LEFT JOIN events split ON split.position = n.split_at
  -- The assistant before the first save of the range.
  CROSS JOIN LATERAL (SELECT CASE WHEN old.assistant_id IS NOT NULL OR n.removal_at IS NULL THEN old.assistant_id ELSE (
    SELECT e.assistant_id FROM e
    WHERE e.org_id = n.org_id AND e.agent_id = n.agent_id AND e.type = 'AssistantRemoved'
      AND e.assistant_id IS NOT NULL
      AND e.position < coalesce((SELECT min(s.position) FROM e s WHERE s.org_id = n.org_id
                                  AND s.agent_id = n.agent_id AND s.type = 'SyncRequested'), n.position + 1)
    ORDER BY e.position LIMIT 1) END) AS first (assistant_id)
  CROSS JOIN LATERAL (SELECT CASE WHEN n.removal_at IS NULL AND NOT coalesce(old.removed, false) THEN false ELSE (
    SELECT (s.since IS NULL AND coalesce(old.removed, false)) OR EXISTS (
      SELECT FROM e
      WHERE e.org_id = n.org_id AND e.agent_id = n.agent_id AND e.type = 'AssistantRemoved'
        AND e.position > coalesce(s.since, 0)
        AND (e.assistant_id IS NULL OR e.assistant_id = coalesce(save.data->>'assistant_id', first.assistant_id)
             OR e.through >= coalesce((e.before->>'revision')::bigint, old.revision)))
    FROM (SELECT max(c.position) FROM (
            SELECT e.position, e.assistant_id,
                   lag(e.assistant_id, 1, first.assistant_id) OVER (ORDER BY e.position) AS before
            FROM e WHERE e.org_id = n.org_id AND e.agent_id = n.agent_id AND e.type = 'SyncRequested') c
          WHERE c.assistant_id IS DISTINCT FROM c.before) AS s (since)) END) AS removal (removed)
  LEFT JOIN LATERAL (
    SELECT e.position, (e.data->>'revision')::bigint AS revision FROM e
    WHERE n.removal_at IS NOT NULL
      AND e.org_id = n.org_id AND e.agent_id = n.agent_id AND e.type = 'AssistantRemoved'
      AND (e.assistant_id IS NULL OR e.assistant_id = coalesce(e.before->>'assistant_id', first.assistant_id)
           OR e.through >= coalesce((e.before->>'revision')::bigint, old.revision))
    ORDER BY e.position DESC LIMIT 1) AS last ON true
  CROSS JOIN LATERAL (SELECT removal.removed AND EXISTS (
    SELECT FROM e
    WHERE e.org_id = n.org_id AND e.agent_id = n.agent_id AND e.type = 'SyncRequested'
      AND e.position > coalesce(last.position, 0)
      AND (e.data->>'revision')::bigint
          > CASE WHEN last.position IS NULL THEN old.removed_revision ELSE last.revision END)) AS anew (anew)
  ON CONFLICT (org_id, agent_id) DO UPDATE
    SET assistant_id = excluded.assistant_id, revision = excluded.revision, saved = excluded.saved,
        base_hash = excluded.base_hash, model_hash = excluded.model_hash,
        linked_revision = excluded.linked_revision, linked = excluded.linked,
        synced_tools = excluded.synced_tools, outcome = excluded.outcome, code = excluded.code,
        look_at = excluded.look_at, settled_revision = excluded.settled_revision,
        settled_assistant_id = excluded.settled_assistant_id,
        diverged_revision = excluded.diverged_revision, drift_hash = excluded.drift_hash,
        removed = excluded.removed, removed_revision = excluded.removed_revision, split = excluded.split,
        linked_version = excluded.linked_version, position = excluded.position
    WHERE a.position < excluded.position;
END $$;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
