-- migrate:up

-- Three kinds of readers, and a policy for each: the owner (migrations, operators in plain SQL), the service, and an
-- organization's token, which sees its own rows only. FORCE, so that nobody is exempt by owning the table.
DO $$
DECLARE
    t text;
    org_column text;
    own CONSTANT text := '(SELECT nullif(current_setting(''app.org_id'', true), '''')::uuid)';
BEGIN
    FOREACH t IN ARRAY ARRAY['organizations', 'agents', 'saves', 'outbox', 'outcomes', 'followed_logs',
                             'former_revisions', 'removals', 'unanswered_creations', 'lost_assistants', 'appointments',
                             'tool_calls', 'missed_claims'] LOOP
        org_column := CASE t WHEN 'organizations' THEN 'id' ELSE 'org_id' END;
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', t);
        IF t IN ('appointments', 'tool_calls', 'missed_claims') THEN
            EXECUTE format('CREATE POLICY service_sees ON %I FOR SELECT TO assistant_api_service USING (true)', t);
            EXECUTE format('CREATE POLICY service_deletes ON %I FOR DELETE TO assistant_api_service USING (true)', t);
        ELSE
            EXECUTE format(
                'CREATE POLICY service_all ON %I TO assistant_api_service USING (true) WITH CHECK (true)', t);
        END IF;
        IF t IN ('organizations', 'agents', 'saves', 'outbox', 'outcomes') THEN
            EXECUTE format('CREATE POLICY tenant_own ON %I TO assistant_api_tenant USING (%I = %s)',
                           t, org_column, own);
        END IF;
        IF t IN ('organizations', 'outbox', 'appointments', 'tool_calls', 'missed_claims') THEN
            EXECUTE format('CREATE POLICY calendar_own ON %1$I TO assistant_api_calendar'
                           ' USING (%2$I = %3$s) WITH CHECK (%2$I = %3$s)', t, org_column, own);
        END IF;
    END LOOP;
END $$;

GRANT USAGE ON SCHEMA public TO assistant_api_service, assistant_api_tenant, assistant_api_calendar;

GRANT SELECT ON organizations, agents, saves, outcomes TO assistant_api_tenant;

GRANT SELECT, INSERT, UPDATE, DELETE ON organizations, agents, saves, idempotency_keys, removals, vapi_keys, key_minutes
    TO assistant_api_service;
GRANT SELECT, INSERT, UPDATE ON outcomes, followed_logs, former_revisions, topic_looks, lost_records
    TO assistant_api_service;
GRANT SELECT, INSERT, DELETE ON outbox, unanswered_creations TO assistant_api_service;
GRANT SELECT, DELETE ON lost_assistants TO assistant_api_service;
GRANT SELECT, INSERT ON installation TO assistant_api_service;
-- Old ones are thrown away; what they say the service does not see.
GRANT SELECT (org_id, id, ends_at), DELETE ON appointments TO assistant_api_service;
GRANT SELECT (org_id, call_id, tool_call_id, request, handled_at), DELETE ON tool_calls TO assistant_api_service;
GRANT SELECT (org_id, scope, missed_at), DELETE ON missed_claims TO assistant_api_service;

GRANT SELECT ON organizations TO assistant_api_calendar;
GRANT SELECT, INSERT, UPDATE, DELETE ON appointments TO assistant_api_calendar;
GRANT SELECT, INSERT, UPDATE ON missed_claims TO assistant_api_calendar;
GRANT SELECT, INSERT ON tool_calls TO assistant_api_calendar;
-- The answer to a request that names no conversation makes place for the next one's after a minute.
GRANT UPDATE (definition_version, code, failed, answer, handled_at) ON tool_calls TO assistant_api_calendar;
GRANT INSERT ON outbox TO assistant_api_calendar;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
