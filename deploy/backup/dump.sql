-- One database: its dump, and what it says of itself in the same snapshot, as one line of JSON. Run by backup.sh.
\set ON_ERROR_STOP on
SET idle_in_transaction_session_timeout = 0;
SET statement_timeout = 0;
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT pg_export_snapshot() AS snapshot \gset
\setenv SNAPSHOT :snapshot
\! pg_dump --format=custom --no-password --snapshot="$SNAPSHOT" --file="$DUMP"
\if :SHELL_ERROR
DO 'BEGIN RAISE EXCEPTION ''pg_dump has failed''; END';
\endif
\ir facts.sql
COMMIT;
