-- What a database says of itself, as one line of JSON: installation, migrations, the head of its log, rows of each
-- table. The same line comes out of a database that was restored from its dump.
\set ON_ERROR_STOP on
SET row_security = off;  -- a role that may not see every row gets an error, and no smaller number
SELECT coalesce(string_agg(format('SELECT %L AS name, count(*) AS rows FROM %I.%I', tablename, schemaname, tablename),
                           ' UNION ALL '), 'SELECT NULL AS name, 0 AS rows WHERE false') AS counting
FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') \gset
SELECT to_regclass('events') IS NOT NULL AS has_log, to_regclass('schema_migrations') IS NOT NULL AS is_migrated \gset
\set head null
\if :has_log
SELECT coalesce((SELECT jsonb_build_object('position', position, 'hash', encode(hash, 'hex'))
                 FROM events ORDER BY position DESC LIMIT 1), 'null') AS head \gset
\endif
\set installation null
\set migrations []
\if :is_migrated
SELECT coalesce((SELECT to_jsonb(installation_id) FROM installation), 'null') AS installation,
       (SELECT coalesce(jsonb_agg(version ORDER BY version), '[]') FROM schema_migrations) AS migrations \gset
\endif
SELECT jsonb_build_object(
    'installation', :'installation'::jsonb, 'migrations', :'migrations'::jsonb, 'log_head', :'head'::jsonb,
    'rows', (SELECT jsonb_object_agg(name, rows) FROM (:counting) AS c));
