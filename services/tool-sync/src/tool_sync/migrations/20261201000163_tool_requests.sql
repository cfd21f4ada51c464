-- migrate:up
-- system_tools takes INSERT and UPDATE as requests (ADR 45). The projection is a table of another name; system_tools is
-- a view of it whose triggers write nothing but the request. A statement that waits in an open transaction so holds no
-- lock that an append needs, and no restore of a dump ever looks like an operator.

SELECT pg_advisory_xact_lock(7311);

ALTER TABLE system_tools RENAME TO fleet_tools;
ALTER INDEX system_tools_pkey RENAME TO fleet_tools_pkey;
-- What else a version says, so that a row is a whole tool, and changing one column keeps the others.
ALTER TABLE fleet_tools
  ADD COLUMN timeout_seconds int,
  ADD COLUMN messages jsonb,
  ADD COLUMN static_parameters jsonb;

-- As fold_system_tools before it, with these columns; contract as `evolve_fleet` reads it where the event names none. An
-- order gives what its version's number stood for when it was started.
CREATE FUNCTION fold_fleet_tools(from_position bigint, to_position bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO fleet_tools AS t (name, version, tier, asynchronous, definition_hash, position, id, enabled, halted,
                                contract, schema, webhook_url, timeout_seconds, messages, static_parameters, updated_at)
  SELECT touched.name, shown.version, shown.tier, shown.asynchronous, shown.definition_hash, touched.position,
         shown.first, ordered.version IS NOT NULL AND NOT coalesce(halt.is_on, false), coalesce(halt.is_on, false),
         coalesce(shown.contract, named.contract, CASE WHEN shown.schema IS NOT NULL THEN 1 END),
         shown.schema, shown.url, shown.timeout, shown.messages, coalesce(named.others, '{}'), touched.at
  FROM (SELECT coalesce(data->>'name', data->>'tool') AS name, max(position) AS position, max(recorded_at) AS at
        FROM events
        WHERE org_id IS NULL AND position > from_position AND position <= to_position
          AND type IN ('BlueprintPublished', 'ToolHalted', 'ToolResumed', 'RolloutStarted', 'RolloutCompleted',
                       'RolloutRolledBack')
        GROUP BY 1) touched
  LEFT JOIN LATERAL (  -- of the newest completed order that was not rolled back: its version, null for an order to none
    SELECT (s.data->>'version')::int AS version, s.position
    FROM events s JOIN events c ON c.org_id IS NULL AND c.stream = s.stream AND c.type = 'RolloutCompleted'
    WHERE s.org_id IS NULL AND s.type = 'RolloutStarted' AND s.data->>'tool' = touched.name
      AND c.position <= to_position
      AND NOT EXISTS (SELECT FROM events b WHERE b.org_id IS NULL AND b.stream = s.stream
                       AND b.type = 'RolloutRolledBack' AND b.position <= to_position)
    ORDER BY s.position DESC LIMIT 1) ordered ON true
  LEFT JOIN LATERAL (
    SELECT type = 'ToolHalted' AS is_on FROM events
    WHERE stream = 'blueprint-' || touched.name AND type IN ('ToolHalted', 'ToolResumed') AND position <= to_position
    ORDER BY version DESC LIMIT 1) halt ON true
  CROSS JOIN LATERAL (  -- what is ordered, as it was published last before the order; else what was published last
    SELECT *
    FROM (SELECT (data->>'version')::int AS version, data->>'tier' AS tier,
                 (data->>'asynchronous')::boolean AS asynchronous, data->>'definition_hash' AS definition_hash,
                 (data->>'contract')::int AS contract, data #> '{document,function}' AS schema,
                 data #>> '{document,server,url}' AS url, (data #>> '{document,server,timeoutSeconds}')::int AS timeout,
                 coalesce(data #> '{document,messages}', '[]') AS messages,
                 data #> '{document,parameters}' AS parameters, min(position) OVER () AS first, position,
                 coalesce((data->>'version')::int = ordered.version, false) AS is_ordered
          FROM events
          WHERE stream = 'blueprint-' || touched.name AND type = 'BlueprintPublished' AND position <= to_position) p
    ORDER BY is_ordered DESC, is_ordered AND position < ordered.position DESC,
             CASE WHEN is_ordered AND position > ordered.position THEN -position ELSE position END DESC
    LIMIT 1) shown
  LEFT JOIN LATERAL (
    SELECT max(CASE WHEN p.item->>'key' = 'contract' AND (p.item->'value')::text ~ '^-?[0-9]{1,9}$'
                    THEN (p.item->>'value')::int END) AS contract,
           jsonb_object_agg(p.item->>'key', p.item->'value')
             FILTER (WHERE p.item->>'key' NOT IN ('organization_id', 'definition_version', 'contract')) AS others
    FROM jsonb_array_elements(CASE WHEN jsonb_typeof(shown.parameters) = 'array' THEN shown.parameters END) AS p (item)
  ) named ON true
  ON CONFLICT (name) DO UPDATE
    SET version = excluded.version, tier = excluded.tier, asynchronous = excluded.asynchronous, id = excluded.id,
        definition_hash = excluded.definition_hash, position = excluded.position, enabled = excluded.enabled,
        halted = excluded.halted, contract = excluded.contract, schema = excluded.schema,
        webhook_url = excluded.webhook_url, timeout_seconds = excluded.timeout_seconds, messages = excluded.messages,
        static_parameters = excluded.static_parameters, updated_at = excluded.updated_at
    WHERE t.position < excluded.position;
END $$;
DROP FUNCTION fold_system_tools(bigint, bigint);
UPDATE projections SET name = 'fleet_tools' WHERE name = 'system_tools';
UPDATE fleet_tools SET position = 0;
SELECT fold_fleet_tools(0, (SELECT coalesce(max(position), 0) FROM events));

CREATE VIEW system_tools AS
  SELECT id, name, enabled, schema, webhook_url, tier, version, definition_hash, updated_at, contract, asynchronous,
         timeout_seconds, messages, static_parameters, halted, position
  FROM fleet_tools;
ALTER VIEW system_tools ALTER COLUMN enabled SET DEFAULT true;

-- What operators asked by a statement: never changed, but for how far it is. id is part of the ids of the events that
-- follow from it, so nothing follows twice.
CREATE TABLE tool_requests (
  id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  request_id   uuid        NOT NULL UNIQUE DEFAULT gen_random_uuid(),
  at           timestamptz NOT NULL DEFAULT clock_timestamp(),
  who          text        NOT NULL,       -- who was logged in, and the role that was taken on
  statement    text        NOT NULL CHECK (statement IN ('INSERT', 'UPDATE')),
  tool         text        NOT NULL,
  base_version int,                        -- what the row showed; null: there was none
  base_hash    text,
  document     jsonb,                      -- the tool as it should be published; null: it is published already
  orders       text        CHECK (orders IN ('version', 'none')),  -- null: nothing is ordered
  state        text        NOT NULL DEFAULT 'requested'
               CHECK (state IN ('requested', 'checked', 'published', 'rolling out', 'refused')),
  problems     text[]      NOT NULL DEFAULT '{}',
  version      int,
  rollout_id   text,
  changed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at     timestamptz,                -- null: there is more to do about it
  CHECK (document IS NOT NULL OR orders IS NOT NULL)
);
CREATE INDEX tool_requests_open ON tool_requests (id) WHERE ended_at IS NULL;

-- The words of the lint (publishing/*.py), for what a statement can check; a test holds the two together. A problem is
-- its place, what it is, what to write instead, and whether what stands there could not be read at all.

-- Whether nothing is left of a text without its white space, as Python's str.strip has it.
CREATE FUNCTION tool_is_blank(value text) RETURNS boolean IMMUTABLE LANGUAGE sql RETURN
  btrim(value, E' \t\n\u000B\f\r\u001C\u001D\u001E\u001F\u0085\u00A0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006'
    || E'\u2007\u2008\u2009\u200A\u2028\u2029\u202F\u205F\u3000') = '';

-- A text in quotes as Python prints it; null where that is not plain ASCII.
CREATE FUNCTION tool_quoted(value text) RETURNS text IMMUTABLE LANGUAGE sql RETURN
  CASE WHEN value !~ '^[ -~]*$' THEN NULL
       WHEN strpos(value, '''') > 0 AND strpos(value, '"') = 0 THEN '"' || replace(value, '\', '\\') || '"'
       ELSE '''' || replace(replace(value, '\', '\\'), '''', '\''') || '''' END;

-- Characters that two texts have in common, as difflib counts them: the longest run, and what matches on its sides.
CREATE FUNCTION tool_matching(a text, b text) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
DECLARE
  place int;
BEGIN
  FOR size IN REVERSE least(length(a), length(b)) .. 1 LOOP
    FOR i IN 1 .. length(a) - size + 1 LOOP
      place := strpos(b, substr(a, i, size));
      IF place > 0 THEN
        RETURN size + tool_matching(substr(a, 1, i - 1), substr(b, 1, place - 1))
                    + tool_matching(substr(a, i + size), substr(b, place + size));
      END IF;
    END LOOP;
  END LOOP;
  RETURN 0;
END $$;

-- What to write in the place of a name that nobody knows: the nearest one, or else one of all. Null where a name is so
-- odd that it is left to the lint.
CREATE FUNCTION tool_nearest(name text, known text[]) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$
DECLARE
  near text;
  listed text[];
BEGIN
  IF tool_quoted(name) IS NULL OR EXISTS (SELECT FROM unnest(known) k WHERE length(k) > 64) THEN
    RETURN NULL;
  END IF;
  SELECT k INTO near FROM unnest(known) AS k
  CROSS JOIN LATERAL (SELECT CASE WHEN least(length(k), length(name)) * 2 < 0.6 * (length(k) + length(name)) THEN 0
    WHEN k = name THEN 1
    ELSE 2.0::float8 * tool_matching(k, name) / (length(k) + length(name)) END AS ratio) r
  WHERE r.ratio >= 0.6::float8 ORDER BY r.ratio DESC, k COLLATE "C" DESC LIMIT 1;
  IF near IS NOT NULL THEN
    RETURN 'write ' || tool_quoted(near);
  END IF;
  listed := ARRAY(SELECT tool_quoted(k) FROM unnest(known) WITH ORDINALITY AS u (k, n) ORDER BY n LIMIT 12);
  IF array_position(listed, NULL) IS NOT NULL THEN
    RETURN NULL;
  END IF;
  RETURN 'write ' || array_to_string(listed[:cardinality(listed) - 1], ', ')
    || CASE WHEN cardinality(listed) > 1 THEN ' or ' ELSE '' END || listed[cardinality(listed)]
    || CASE WHEN cardinality(known) > 12 THEN ' …' ELSE '' END;
END $$;

-- json_value.py and text_rules.py: what stands anywhere in a value.
CREATE FUNCTION tool_value_problems(path text, value jsonb, depth int)
RETURNS TABLE (place text, what text, instead text, unread boolean) IMMUTABLE LANGUAGE plpgsql AS $$
DECLARE
  mark text;
BEGIN
  IF depth > 24 THEN
    RETURN QUERY SELECT path, 'is nested more than 24 deep', 'write it flatter', true;
    RETURN;
  END IF;
  IF jsonb_typeof(value) = 'number' AND value::text !~ '[.]' AND abs(value::numeric) > 9007199254740992 THEN
    RETURN QUERY SELECT path, 'is no number that every reader keeps', 'write it as text, in quotes', true;
  END IF;
  FOR mark IN
    SELECT CASE WHEN strpos(t, '{{') > 0 THEN '{{' ELSE '{%' END
    FROM (SELECT value #>> '{}' WHERE jsonb_typeof(value) = 'string' UNION ALL
          SELECT jsonb_object_keys(CASE WHEN jsonb_typeof(value) = 'object' THEN value ELSE '{}' END)) AS u (t)
    WHERE strpos(t, '{{') > 0 OR strpos(t, '{%') > 0
  LOOP
    RETURN QUERY SELECT path, 'holds ' || mark || ', which Vapi replaces during a call', 'write the text itself', false;
  END LOOP;
  IF jsonb_typeof(value) = 'object' THEN
    RETURN QUERY SELECT p.* FROM jsonb_each(value) AS e (key, inside),
      LATERAL tool_value_problems(path || '.' || key, inside, depth + 1) p;
  ELSIF jsonb_typeof(value) = 'array' THEN
    RETURN QUERY SELECT p.* FROM jsonb_array_elements(value) WITH ORDINALITY AS e (inside, n),
      LATERAL tool_value_problems(path || '[' || n - 1 || ']', inside, depth + 1) p;
  END IF;
END $$;

-- schema_rules.py: what to write instead of a key that is not of the subset.
CREATE FUNCTION tool_instead(key text) RETURNS text IMMUTABLE LANGUAGE sql RETURN
  '{"$ref": "write the schema itself in its place", "$defs": "write each schema where it is used",
    "anyOf": "write one schema; say the alternatives in the description",
    "oneOf": "write one schema; say the alternatives in the description",
    "allOf": "write the schemas as one", "const": "write an enum of one value",
    "nullable": "leave the property out of ''required''", "default": "say it in the description",
    "title": "say it in the description",
    "additionalProperties": "leave it out: what the model adds is passed over", "$schema": "leave it out"}'::jsonb
  ->> key;

CREATE FUNCTION tool_is_text(value jsonb) RETURNS boolean IMMUTABLE LANGUAGE sql RETURN
  jsonb_typeof(value) = 'string' AND NOT tool_is_blank(value #>> '{}') AND length(value #>> '{}') <= 1000;

CREATE FUNCTION tool_count_properties(schema jsonb, depth int) RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS $$
DECLARE
  count bigint := 0;
  inside jsonb;
BEGIN
  IF depth > 24 OR schema IS NULL OR jsonb_typeof(schema) <> 'object' THEN
    RETURN 0;
  END IF;
  IF jsonb_typeof(schema -> 'properties') = 'object' AND depth < 24 THEN
    FOR inside IN SELECT e.value FROM jsonb_each(schema -> 'properties') e LOOP
      count := count + 1 + tool_count_properties(inside, depth + 2);
    END LOOP;
  END IF;
  RETURN count + tool_count_properties(schema -> 'items', depth + 1);
END $$;

CREATE FUNCTION tool_property_problems(path text, schema jsonb, depth int)
RETURNS TABLE (place text, what text, instead text) IMMUTABLE LANGUAGE plpgsql AS $$
DECLARE
  types CONSTANT text[] := '{string,number,integer,boolean,array,object}';
  formats CONSTANT text[] := '{date-time,time,date,duration,email,hostname,ipv4,ipv6,uuid}';
  kind text := CASE WHEN jsonb_typeof(schema) = 'object' AND jsonb_typeof(schema -> 'type') = 'string'
                    THEN schema ->> 'type' END;
  known text[];
  enum jsonb := schema -> 'enum';
BEGIN
  IF jsonb_typeof(schema) <> 'object' THEN
    RETURN QUERY SELECT path, 'must be a schema', 'write an object with a type and a description';
    RETURN;
  END IF;
  IF kind IS NULL OR kind <> ALL (types) THEN
    RETURN QUERY SELECT path || '.type', 'must be one type, as text', tool_nearest(coalesce(kind, ''), types);
    RETURN QUERY SELECT path || '.' || k, 'is not of the subset', tool_instead(k) FROM jsonb_object_keys(schema) k
      WHERE tool_instead(k) IS NOT NULL;
    RETURN;
  END IF;
  known := ARRAY['type', 'description'] || CASE kind WHEN 'string' THEN '{format,pattern,enum}'::text[]
    WHEN 'array' THEN '{items}' WHEN 'object' THEN '{properties,required}' ELSE '{}' END;
  RETURN QUERY SELECT path || '.' || k, 'is no key of a ' || kind, coalesce(tool_instead(k), tool_nearest(k, known))
    FROM jsonb_object_keys(schema) k WHERE k <> ALL (known);
  IF schema ? 'description' AND NOT tool_is_text(schema -> 'description') THEN
    RETURN QUERY SELECT path || '.description', 'is no description', 'write 1 to 1,000 characters';
  END IF;
  IF kind = 'string' THEN
    IF jsonb_typeof(schema -> 'format') = 'string' AND schema ->> 'format' <> ALL (formats) THEN
      RETURN QUERY SELECT path || '.format', 'is none that Vapi has', tool_nearest(schema ->> 'format', formats);
    END IF;
    IF schema ? 'enum' AND (jsonb_typeof(enum) <> 'array' OR NOT (
         SELECT count(*) > 0 AND bool_and(tool_is_text(v)) AND count(DISTINCT v) = count(*)
         FROM jsonb_array_elements(CASE WHEN jsonb_typeof(enum) = 'array' THEN enum ELSE '[]' END) v)) THEN
      RETURN QUERY SELECT path || '.enum', 'is no list of different texts', 'write at least one, each once';
    END IF;
  ELSIF kind IN ('array', 'object') AND depth >= 5 THEN
    RETURN QUERY SELECT path, 'is nested more than 5 deep', 'ask for it more flatly';
  ELSIF kind = 'object' THEN
    RETURN QUERY SELECT p.* FROM tool_object_problems(path, schema, depth + 1) p;
  ELSIF kind = 'array' AND NOT schema ? 'items' THEN
    RETURN QUERY SELECT path || '.items', 'is missing', 'write the schema of one item';
  ELSIF kind = 'array' THEN
    RETURN QUERY SELECT p.* FROM tool_property_problems(path || '.items', schema -> 'items', depth + 1) p;
  END IF;
END $$;

CREATE FUNCTION tool_object_problems(path text, schema jsonb, depth int)
RETURNS TABLE (place text, what text, instead text) IMMUTABLE LANGUAGE plpgsql AS $$
DECLARE
  inside CONSTANT text := path || '.properties';
  properties jsonb := schema -> 'properties';
  required jsonb := coalesce(schema -> 'required', '[]');
  names text[];
BEGIN
  IF properties IS NULL OR jsonb_typeof(properties) <> 'object' THEN
    RETURN QUERY SELECT inside, 'must be an object of schemas', 'write it, as {} where there is none';
    RETURN;
  END IF;
  names := ARRAY(SELECT jsonb_object_keys(properties));
  RETURN QUERY SELECT inside || '.' || n, 'is no name that every model takes',
      'write 1 to 64 letters, digits, ''_'', ''.'' and ''-''' FROM unnest(names) n WHERE n !~ '^[a-zA-Z0-9_.-]{1,64}$';
  RETURN QUERY SELECT p.* FROM jsonb_each(properties) AS e (key, value),
    LATERAL tool_property_problems(inside || '.' || key, value, depth) p;
  IF jsonb_typeof(required) <> 'array' OR EXISTS (
       SELECT FROM jsonb_array_elements(CASE WHEN jsonb_typeof(required) = 'array' THEN required ELSE '[]' END) r
       WHERE jsonb_typeof(r) <> 'string') THEN
    RETURN QUERY SELECT path || '.required', 'must be a list of names', 'name the properties that every call must have';
    RETURN;
  END IF;
  RETURN QUERY SELECT path || '.required', 'names ' || tool_quoted(r) || ', which is no property',
      CASE WHEN cardinality(names) > 0 THEN tool_nearest(r, names) ELSE 'drop it' END
    FROM jsonb_array_elements_text(required) r WHERE NOT properties ? r;
  IF (SELECT count(DISTINCT r) < count(*) FROM jsonb_array_elements_text(required) r) THEN
    RETURN QUERY SELECT path || '.required', 'names a property twice', 'name each once';
  END IF;
END $$;

CREATE FUNCTION tool_parameters_problems(schema jsonb)
RETURNS TABLE (place text, what text, instead text) IMMUTABLE LANGUAGE plpgsql AS $$
DECLARE
  path CONSTANT text := 'schema.parameters';
  known CONSTANT text[] := '{type,properties,required}';
  number bigint;
BEGIN
  IF octet_length(schema::text) > 16384 THEN
    RETURN;  -- how long it is when it is hashed, the lint alone knows
  END IF;
  RETURN QUERY SELECT path || '.' || k, 'is no key of a tool''s parameters',
      coalesce(tool_instead(k), tool_nearest(k, known)) FROM jsonb_object_keys(schema) k WHERE k <> ALL (known);
  IF schema -> 'type' IS DISTINCT FROM '"object"' THEN
    RETURN QUERY SELECT path || '.type', 'must be ''object''', 'write ''object''';
  END IF;
  RETURN QUERY SELECT p.* FROM tool_object_problems(path, schema, 1) p;
  number := tool_count_properties(schema, 0);
  IF number > 100 THEN
    RETURN QUERY SELECT path, format('has %s properties', number), 'write at most 100';
  END IF;
END $$;

-- message_rules.py
CREATE FUNCTION tool_message_problems(path text, message jsonb)
RETURNS TABLE (place text, what text, instead text) IMMUTABLE LANGUAGE plpgsql AS $$
DECLARE
  kinds CONSTANT text[] := '{request-start,request-complete,request-failed,request-response-delayed}';
  content CONSTANT text := 'text of 1 to 1,000 characters';
  kind text := CASE WHEN jsonb_typeof(message -> 'type') = 'string' THEN message ->> 'type' END;
  known text[];
BEGIN
  IF kind IS NULL OR kind <> ALL (kinds) THEN
    RETURN QUERY SELECT path || '.type', 'is none that Vapi has', tool_nearest(coalesce(kind, 'None'), kinds)
      WHERE kind IS NOT NULL OR coalesce(jsonb_typeof(message -> 'type'), 'null') = 'null';
    RETURN;
  END IF;
  known := '{type,content}'::text[] || CASE kind WHEN 'request-start' THEN '{blocking}'::text[]
    WHEN 'request-response-delayed' THEN '{timingMilliseconds}' ELSE '{role,endCallAfterSpokenEnabled}' END;
  RETURN QUERY SELECT path || '.' || k, 'is no key of ' || kind, tool_nearest(k, known)
    FROM jsonb_object_keys(message) k WHERE k <> ALL (known);
  RETURN QUERY SELECT path || '.' || k, 'is not what Vapi takes', 'write ' || rule.takes
    FROM (VALUES
      ('content', content, tool_is_text(message -> 'content')),
      ('blocking', 'true or false', jsonb_typeof(message -> 'blocking') = 'boolean'),
      ('endCallAfterSpokenEnabled', 'true or false', jsonb_typeof(message -> 'endCallAfterSpokenEnabled') = 'boolean'),
      ('role', '''assistant'' or ''system''', message -> 'role' IN ('"assistant"', '"system"')),
      ('timingMilliseconds', 'a number from 100 to 120,000',
       CASE WHEN jsonb_typeof(message -> 'timingMilliseconds') = 'number'
            THEN (message ->> 'timingMilliseconds')::numeric BETWEEN 100 AND 120000 ELSE false END)
    ) AS rule (k, takes, fits) WHERE k = ANY (known) AND message ? k AND NOT rule.fits;
  IF NOT message ? 'content' THEN
    RETURN QUERY SELECT path || '.content', 'is missing', 'write ' || content;
  END IF;
END $$;

-- server_url.py, as far as nobody has to be asked and both read an address alike: names of hosts, and IPv4 in its one
-- plain form. Whether loopback is allowed, and so whether http is, the service's settings say.
CREATE FUNCTION tool_url_problems(url text)
RETURNS TABLE (place text, what text, instead text) IMMUTABLE LANGUAGE plpgsql AS $$
DECLARE
  form text[];
  authority text;
  host text;
  kind text;
BEGIN
  place := 'webhook_url';
  IF url ~ '[^\x21-\x7e]' OR url ~ '[\\"<>^`{|}]' THEN
    RETURN QUERY SELECT place, 'holds a character that is none of a URL''s',
      'write a host in ASCII (xn--…) and the rest percent-encoded';
    RETURN;
  END IF;
  form := regexp_match(url, '^([a-z]+)://([^/?#]*)([^#]*)(#.*)?$', 'i');
  IF form IS NULL OR lower(form[1]) NOT IN ('http', 'https') THEN
    RETURN QUERY SELECT place, 'is no https URL', 'write https://host/path';
    RETURN;
  END IF;
  IF form[4] IS NOT NULL THEN
    RETURN QUERY SELECT place, 'has a fragment, which is never sent', 'leave out what stands from # on';
  END IF;
  authority := form[2];
  IF strpos(authority, '@') > 0 THEN
    RETURN QUERY SELECT place, 'holds a user''s name or password', 'name a credential at Vapi instead';
    authority := regexp_replace(authority, '^.*@', '');
  END IF;
  form := regexp_match(authority, '^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?$', 'i');
  IF form IS NULL THEN
    RETURN QUERY SELECT place, 'names no host that can be read', 'write https://host/path';
    RETURN;
  END IF;
  IF form[2]::int NOT BETWEEN 1 AND 65535 THEN
    RETURN QUERY SELECT place, format('has the port %s', form[2]), 'write one from 1 to 65535, or none';
  END IF;
  host := lower(form[1]);
  IF host ~ '^((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(\.(?!$)|$)){4}$' THEN
    SELECT n.name INTO kind FROM (VALUES
      ('0.0.0.0/8'::inet, 'unspecified'), ('10.0.0.0/8', 'private'), ('100.64.0.0/10', 'carrier NAT'),
      ('169.254.0.0/16', 'link-local'), ('172.16.0.0/12', 'private'), ('192.168.0.0/16', 'private'),
      ('192.0.0.0/24', 'reserved'), ('192.0.2.0/24', 'documentation'), ('198.18.0.0/15', 'reserved'),
      ('198.51.100.0/24', 'documentation'), ('203.0.113.0/24', 'documentation'), ('192.88.99.0/24', '6to4 relay'),
      ('224.0.0.0/4', 'multicast'), ('240.0.0.0/4', 'reserved')) AS n (network, name)
    WHERE host::inet <<= n.network LIMIT 1;
    IF kind IS NOT NULL THEN
      RETURN QUERY SELECT place, format('leads to %s, which is %s', host, kind),
        'write a host whose every address is public';
    END IF;
    IF url ~* '^http:' AND NOT host::inet <<= '127.0.0.0/8' THEN
      RETURN QUERY SELECT place, 'is not encrypted: patients'' data go there', 'write https';
    END IF;
    RETURN;
  END IF;
  IF left(host, 1) = '[' OR regexp_replace(rtrim(host, '.'), '^.*\.', '') ~ '^([0-9]+|0x[0-9a-f]*)$' THEN
    RETURN;
  END IF;
  IF right(host, 1) = '.' THEN
    RETURN QUERY SELECT place, 'names a host with a dot at its end', 'leave the dot out';
    host := rtrim(host, '.');
  END IF;
  IF length(host) > 253
     OR EXISTS (SELECT FROM string_to_table(host, '.') l WHERE l !~ '^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$') THEN
    RETURN QUERY SELECT place, 'names ' || tool_quoted(left(host, 80)) || ', which is no host',
      'write labels of 1 to 63 characters';
  END IF;
END $$;

-- lint.py: all that a statement can say of a tool as a request has it.
CREATE FUNCTION tool_problems(tool jsonb) RETURNS SETOF text IMMUTABLE LANGUAGE plpgsql AS $$
DECLARE
  reserved CONSTANT text[] := '{organization_id,definition_version,contract}';
  of_schema CONSTANT text[] := '{name,description,parameters}';
  schema jsonb := CASE WHEN jsonb_typeof(tool -> 'schema') = 'object' THEN tool -> 'schema' ELSE '{}' END;
  description text := schema ->> 'description';
  parameters jsonb := CASE WHEN jsonb_typeof(schema -> 'parameters') = 'object' THEN schema -> 'parameters' END;
  properties jsonb := CASE WHEN jsonb_typeof(parameters -> 'properties') = 'object' THEN parameters -> 'properties'
                           ELSE '{}' END;
  messages jsonb := CASE WHEN jsonb_typeof(tool -> 'messages') = 'array' THEN tool -> 'messages' ELSE '[]' END;
  statics jsonb := CASE WHEN jsonb_typeof(tool -> 'static_parameters') = 'object' THEN tool -> 'static_parameters'
                        ELSE '{}' END;
  contract int := (tool ->> 'contract')::int;
  wrong_messages boolean := jsonb_typeof(tool -> 'messages') <> 'array'
    OR EXISTS (SELECT FROM jsonb_array_elements(messages) m WHERE jsonb_typeof(m) <> 'object');
BEGIN
  IF wrong_messages THEN
    messages := '[]';
  END IF;
  RETURN QUERY
  WITH found (place, what, instead, unread) AS (
    SELECT 'schema', 'must be an object', 'write its description and parameters', false
      WHERE jsonb_typeof(tool -> 'schema') <> 'object'
    UNION ALL SELECT 'schema.' || k, 'is no key of a tool''s schema', tool_nearest(k, of_schema), false
      FROM jsonb_object_keys(schema) k WHERE k <> ALL (of_schema)
    UNION ALL SELECT 'schema.name', 'is another name than the row''s', 'leave it out', false
      WHERE schema ? 'name' AND schema -> 'name' <> tool -> 'name'
    UNION ALL SELECT 'schema.description', 'is missing', 'write text', true WHERE NOT schema ? 'description'
    UNION ALL SELECT place, 'must be ' || kind, 'write ' || kind || ', or leave the key out if it may be', true
      FROM (VALUES
        ('schema.description', 'text', jsonb_typeof(schema -> 'description') <> 'string'),
        ('schema.parameters', 'an object', jsonb_typeof(schema -> 'parameters') <> 'object'),
        ('messages', 'a list of objects', wrong_messages),
        ('static_parameters', 'an object', jsonb_typeof(tool -> 'static_parameters') <> 'object')
      ) AS v (place, kind, is_wrong) WHERE is_wrong
    UNION ALL SELECT p.* FROM (VALUES
        ('name', tool -> 'name'), ('tier', tool -> 'tier'), ('webhook_url', tool -> 'webhook_url'),
        ('schema.description', schema -> 'description'), ('schema.parameters', parameters),
        ('messages', messages), ('static_parameters', statics)) AS v (path, value),
      LATERAL tool_value_problems(v.path, v.value, 0) p
    UNION ALL SELECT 'name', 'is no name that Vapi takes', 'write 1 to 64 letters, digits, ''_'' and ''-''', false
      WHERE tool ->> 'name' !~ '^[a-zA-Z0-9_-]{1,64}$'
    UNION ALL SELECT 'schema.description', CASE WHEN tool_is_blank(description) THEN 'says nothing'
        ELSE 'has ' || to_char(length(description), 'FM999,999,999') || ' characters' END, 'write 1 to 999', false
      WHERE tool_is_blank(description) OR length(description) > 999
    UNION ALL SELECT 'timeout_seconds', 'is outside of what Vapi takes', 'write 1 to 300', false
      WHERE (tool ->> 'timeout_seconds')::int NOT BETWEEN 1 AND 300
    UNION ALL SELECT 'tier', tool_quoted(tool ->> 'tier') || ' is no tier',
        tool_nearest(tool ->> 'tier', '{basic,professional,enterprise}'), false
      WHERE tool ->> 'tier' NOT IN ('basic', 'professional', 'enterprise')
    UNION ALL SELECT 'contract', 'must not be negative', 'write 0 where another service answers', false
      WHERE contract < 0
    UNION ALL SELECT v.place, 'is missing', 'write it, as another service answers (contract 0)', false
      FROM (VALUES ('schema.parameters', NOT schema ? 'parameters'),
                   ('webhook_url', tool ->> 'webhook_url' IS NULL)) AS v (place, is_missing)
      WHERE contract = 0 AND v.is_missing
    UNION ALL SELECT 'webhook_url', 'is named, and assistant-api answers', 'leave it out, or write contract = 0', false
      WHERE contract > 0 AND tool ->> 'webhook_url' IS NOT NULL
    UNION ALL SELECT 'static_parameters.' || k, CASE WHEN k = ANY (reserved) THEN 'is set by tool-sync for each clinic'
        WHEN properties ? k THEN 'is a call''s argument, too, and would replace it' ELSE 'is no name' END,
        CASE WHEN k = ANY (reserved) THEN 'leave it out' WHEN properties ? k THEN 'rename one of the two'
        ELSE 'write 1 to 64 letters, digits, ''_'', ''.'' and ''-''' END, false
      FROM jsonb_object_keys(statics) k
      WHERE k = ANY (reserved) OR properties ? k OR k !~ '^[a-zA-Z0-9_.-]{1,64}$'
    UNION ALL SELECT 'schema.parameters.properties.' || k,
        'is set by tool-sync for each clinic, and would replace what the model sends', 'rename it', false
      FROM jsonb_object_keys(properties) k WHERE k = ANY (reserved)
    UNION ALL SELECT p.*, false FROM jsonb_array_elements(messages) WITH ORDINALITY AS m (message, n),
      LATERAL tool_message_problems('messages[' || n - 1 || ']', message) p
    UNION ALL SELECT 'messages', format('are %s', jsonb_array_length(messages)), 'write at most 20', false
      WHERE jsonb_array_length(messages) > 20
    UNION ALL SELECT p.*, false FROM tool_parameters_problems(parameters) p WHERE parameters IS NOT NULL
    UNION ALL SELECT p.*, false FROM tool_url_problems(tool ->> 'webhook_url') p
      WHERE tool ->> 'webhook_url' IS NOT NULL
  )
  SELECT DISTINCT f.place || ': ' || f.what || '; ' || f.instead FROM found f
  WHERE f.what IS NOT NULL AND f.instead IS NOT NULL AND (f.unread OR f.place = 'webhook_url' OR NOT EXISTS (
    SELECT FROM found u WHERE u.unread
      AND (f.place = u.place OR starts_with(f.place, u.place || '.') OR starts_with(f.place, u.place || '['))));
END $$;

-- Why no order of a tool can be started now: another one is open. The words of domain/fleet/rollout.py.
CREATE FUNCTION tool_open_rollout(tool text) RETURNS text STABLE LANGUAGE sql AS $$
  SELECT format('rollout %s of %s is %s: complete, abort or roll it back first', s.data ->> 'rollout_id', tool,
                CASE (SELECT p.type FROM events p WHERE p.org_id IS NULL AND p.stream = s.stream
                        AND p.type IN ('RolloutPaused', 'RolloutResumed') ORDER BY p.position DESC LIMIT 1)
                  WHEN 'RolloutPaused' THEN 'paused' ELSE 'running' END)
  FROM events s
  WHERE s.org_id IS NULL AND s.type = 'RolloutStarted' AND s.data ->> 'tool' = tool
    AND NOT EXISTS (SELECT FROM events e WHERE e.org_id IS NULL AND e.stream = s.stream
      AND e.type IN ('RolloutCompleted', 'RolloutAborted', 'RolloutExpired', 'RolloutRolledBack'))
  ORDER BY s.position DESC LIMIT 1
$$;

-- Each row of a statement is a request, or the statement is refused whole, with every reason. As the owner: whoever may
-- write the view needs no right on anything behind it.
CREATE FUNCTION request_tool() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_variable
DECLARE
  bytes_max CONSTANT int := 100000;
  of_log CONSTANT text := 'is counted by tool-sync; leave it out';
  tool CONSTANT text := CASE WHEN TG_OP = 'INSERT' THEN NEW.name ELSE OLD.name END;
  problems text[] := '{}';
  publishes boolean := true;
  orders text;
  asked jsonb;
  shown fleet_tools;
  pending tool_requests;
  number bigint;
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'a tool is never deleted: what was published of % stays in the log', OLD.name
      USING ERRCODE = 'restrict_violation', HINT = format('UPDATE system_tools SET enabled = false WHERE name = %L '
        'takes it from every clinic; `tool-sync blueprint withdraw %s@%s` keeps a version from being ordered again',
        OLD.name, OLD.name, OLD.version);
  END IF;
  PERFORM pg_advisory_xact_lock(7313, hashtext(tool));  -- the statements after it see what the one before has asked
  SELECT * INTO shown FROM fleet_tools f WHERE f.name = tool;
  NEW.tier := coalesce(NEW.tier, 'basic');
  NEW.asynchronous := coalesce(NEW.asynchronous, false);
  NEW.timeout_seconds := coalesce(NEW.timeout_seconds, 20);
  NEW.messages := coalesce(NEW.messages, '[]');
  NEW.static_parameters := coalesce(NEW.static_parameters, '{}');
  NEW.contract := coalesce(NEW.contract, 0);
  NEW.halted := coalesce(NEW.halted, false);

  IF TG_OP = 'INSERT' THEN
    NEW.enabled := coalesce(NEW.enabled, true);
    problems := ARRAY(SELECT v.place || ': ' || of_log FROM (VALUES
      ('id', NEW.id::text), ('version', NEW.version::text), ('definition_hash', NEW.definition_hash),
      ('position', NEW.position::text), ('updated_at', NEW.updated_at::text)) AS v (place, value)
      WHERE v.value IS NOT NULL);
    IF shown.name IS NOT NULL THEN
      problems := problems || format('name: there is a tool %s; UPDATE it', tool);
    END IF;
    IF NEW.halted THEN
      problems := problems || 'halted: is no part of a new tool; leave it out'::text;
    END IF;
    orders := CASE WHEN NEW.enabled THEN 'version' END;
  ELSE
    problems := ARRAY(SELECT v.place || ': ' || of_log FROM (VALUES
      ('id', NEW.id IS DISTINCT FROM OLD.id), ('version', NEW.version IS DISTINCT FROM OLD.version),
      ('definition_hash', NEW.definition_hash IS DISTINCT FROM OLD.definition_hash),
      ('position', NEW.position IS DISTINCT FROM OLD.position),
      ('updated_at', NEW.updated_at IS DISTINCT FROM OLD.updated_at)) AS v (place, is_changed) WHERE v.is_changed);
    IF NEW.version IS DISTINCT FROM OLD.version THEN
      problems := problems || format('to order another version: tool-sync rollout plan %s@%s', tool, NEW.version);
    END IF;
    IF NEW.name IS DISTINCT FROM OLD.name THEN
      problems := problems || 'name: a tool keeps its name; INSERT another one, and set enabled = false here'::text;
    END IF;
    IF NEW.halted IS DISTINCT FROM OLD.halted THEN
      problems := problems || format('halted: is a command; write tool-sync blueprint %s %s --reason …',
                               CASE WHEN NEW.halted THEN 'halt' ELSE 'resume' END, tool);
    ELSIF shown.halted THEN
      problems := problems || format('%s is halted; write tool-sync blueprint resume %s --reason … first', tool, tool);
    END IF;
    IF NEW.enabled IS NULL THEN
      problems := problems || 'enabled: must be true or false; write one of the two'::text;
    END IF;
    IF (shown.version, shown.definition_hash, shown.enabled) IS DISTINCT FROM
       (OLD.version, OLD.definition_hash, OLD.enabled) THEN
      problems := problems || format('%s has changed since the statement began; look at its row and write it again',
                                     tool);
    END IF;
    publishes := (NEW.schema, NEW.webhook_url, NEW.tier, NEW.asynchronous, NEW.contract, NEW.timeout_seconds,
                  NEW.messages, NEW.static_parameters) IS DISTINCT FROM
                 (OLD.schema, OLD.webhook_url, OLD.tier, OLD.asynchronous, coalesce(OLD.contract, 0),
                  coalesce(OLD.timeout_seconds, 20), coalesce(OLD.messages, '[]'),
                  coalesce(OLD.static_parameters, '{}'));
    orders := CASE WHEN NEW.enabled AND (publishes OR NOT OLD.enabled) THEN 'version'
                   WHEN NOT NEW.enabled AND OLD.enabled THEN 'none' END;
    IF NOT publishes AND orders IS NULL AND problems = '{}' THEN
      RAISE NOTICE '%: nothing is changed, so nothing is asked', tool;
      RETURN NEW;
    END IF;
  END IF;

  SELECT * INTO pending FROM tool_requests r WHERE r.tool = tool AND r.ended_at IS NULL LIMIT 1;
  IF pending.id IS NOT NULL THEN
    problems := problems || format('request %s of %s, by %s, is not done; wait for it, or write all changes in one '
                                   'statement', pending.id, tool, pending.who);
  END IF;
  problems := problems || tool_open_rollout(tool);
  IF publishes THEN
    asked := jsonb_build_object(
      'name', coalesce(tool, ''), 'contract', NEW.contract, 'schema', NEW.schema, 'tier', NEW.tier,
      'asynchronous', NEW.asynchronous, 'timeout_seconds', NEW.timeout_seconds, 'messages', NEW.messages,
      'static_parameters', NEW.static_parameters,
      -- Where assistant-api answers, the address is the service's setting: the row shows it, and nobody has named it.
      'webhook_url', CASE WHEN TG_OP = 'UPDATE' AND NEW.contract > 0 AND OLD.contract > 0
                           AND NEW.webhook_url = OLD.webhook_url THEN NULL ELSE NEW.webhook_url END);
    IF octet_length(asked::text) > bytes_max THEN
      problems := problems || format('%s: has more than %s bytes; write a shorter tool', tool,
                                     to_char(bytes_max, 'FM999,999'));
    ELSE
      problems := problems || ARRAY(SELECT p FROM tool_problems(asked) p ORDER BY p);
    END IF;
  END IF;
  problems := array_remove(problems, NULL);
  IF cardinality(problems) > 0 THEN
    RAISE EXCEPTION '% of % is refused: % problem(s)', TG_OP, coalesce(tool, 'a tool without a name'),
      cardinality(problems)
      USING ERRCODE = 'check_violation', DETAIL = array_to_string(problems, E'\n'),
            HINT = 'Nothing was asked. `tool-sync blueprint lint` checks the same of a file.';
  END IF;
  IF publishes AND NEW.asynchronous THEN
    RAISE WARNING 'asynchronous: is true: the model never hears the answer, and a caller is told what may not be so';
  END IF;
  INSERT INTO tool_requests (who, statement, tool, base_version, base_hash, document, orders)
  VALUES (session_user || coalesce(' as ' || nullif(nullif(current_setting('role'), 'none'), session_user), ''), TG_OP,
          tool, shown.version, shown.definition_hash, asked, orders)
  RETURNING id INTO number;
  RAISE NOTICE 'request %: % %', number, tool, CASE
      WHEN publishes AND orders = 'version' THEN 'is checked, published as its next version, and rolled out in stages'
      WHEN publishes AND orders = 'none' THEN 'is checked and published, and taken from every clinic in stages'
      WHEN publishes THEN 'is checked and published; no clinic gets it, as it is not enabled'
      WHEN orders = 'version' THEN 'is rolled out in stages, in its newest version'
      ELSE 'is taken from every clinic in stages' END
    USING HINT = 'It begins when the transaction is committed. `tool-sync blueprint requests` says how far it is; the '
      'row shows it when its rollout is complete.';
  RETURN NEW;
END $$;

CREATE TRIGGER request_insert INSTEAD OF INSERT ON system_tools FOR EACH ROW EXECUTE FUNCTION request_tool();
CREATE TRIGGER request_update INSTEAD OF UPDATE ON system_tools FOR EACH ROW EXECUTE FUNCTION request_tool();
CREATE TRIGGER request_delete INSTEAD OF DELETE ON system_tools FOR EACH ROW EXECUTE FUNCTION request_tool();

REVOKE ALL ON FUNCTION fold_fleet_tools(bigint, bigint), tool_is_blank(text), tool_quoted(text),
  tool_matching(text, text), tool_nearest(text, text[]), tool_value_problems(text, jsonb, int), tool_instead(text),
  tool_is_text(jsonb), tool_count_properties(jsonb, int), tool_property_problems(text, jsonb, int),
  tool_object_problems(text, jsonb, int), tool_parameters_problems(jsonb), tool_message_problems(text, jsonb),
  tool_url_problems(text), tool_problems(jsonb), tool_open_rollout(text), request_tool() FROM PUBLIC;
-- An operator's own role needs only these rights on the view, and SELECT on tool_requests (docs/runbooks/rollout.md).
GRANT SELECT, INSERT, UPDATE, DELETE ON system_tools TO tool_sync_service;
GRANT SELECT ON system_tools TO tool_sync_tenant;
REVOKE ALL ON fleet_tools FROM tool_sync_tenant;
GRANT SELECT ON tool_requests TO tool_sync_service;
GRANT UPDATE (state, problems, version, rollout_id, changed_at, ended_at) ON tool_requests TO tool_sync_service;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
