-- migrate:up

-- Who answers tool calls: this role sees and writes one organization's calendar, the one that app.org_id names. The
-- service's own role can neither read nor write an appointment, only throw away old ones: it must become this role,
-- and inherits nothing of it.
DO $$
BEGIN
    CREATE ROLE assistant_api_calendar NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    RAISE NOTICE 'role assistant_api_calendar exists';
END $$;

-- Only where it is missing: a repeated GRANT by another owner would be refused.
DO $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_auth_members m
        WHERE m.roleid = 'assistant_api_calendar'::regrole AND m.member = 'assistant_api_service'::regrole
          AND m.set_option AND NOT m.inherit_option
    ) THEN
        GRANT assistant_api_calendar TO assistant_api_service WITH INHERIT FALSE, SET TRUE;
    END IF;
EXCEPTION WHEN unique_violation THEN
    RAISE NOTICE 'assistant_api_calendar has been granted by another migration';
END $$;

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['appointments', 'tool_calls'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', t);
        EXECUTE format('CREATE POLICY service_sees ON %I FOR SELECT TO assistant_api_service USING (true)', t);
        EXECUTE format('CREATE POLICY service_deletes ON %I FOR DELETE TO assistant_api_service USING (true)', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['appointments', 'tool_calls', 'organizations', 'outbox'] LOOP
        EXECUTE format(
            'CREATE POLICY calendar_own ON %I TO assistant_api_calendar USING (%2$I = (SELECT nullif(current_setting(''app.org_id'', true), '''')::uuid)) WITH CHECK (%2$I = (SELECT nullif(current_setting(''app.org_id'', true), '''')::uuid))',
            t, CASE t WHEN 'organizations' THEN 'id' ELSE 'org_id' END);
    END LOOP;
END $$;

GRANT USAGE ON SCHEMA public TO assistant_api_calendar;
GRANT SELECT ON organizations TO assistant_api_calendar;
GRANT SELECT, INSERT, UPDATE, DELETE ON appointments TO assistant_api_calendar;
GRANT SELECT, INSERT ON tool_calls TO assistant_api_calendar;
GRANT INSERT ON outbox TO assistant_api_calendar;
GRANT SELECT (org_id, id, ends_at), DELETE ON appointments TO assistant_api_service;
GRANT SELECT (org_id, call_id, tool_call_id, handled_at), DELETE ON tool_calls TO assistant_api_service;

-- migrate:down

REVOKE ALL ON organizations, outbox FROM assistant_api_calendar;
REVOKE USAGE ON SCHEMA public FROM assistant_api_calendar;
DROP POLICY calendar_own ON organizations;
DROP POLICY calendar_own ON outbox;
REVOKE ALL ON appointments, tool_calls FROM assistant_api_calendar, assistant_api_service;
DROP POLICY owner_all ON appointments; DROP POLICY service_sees ON appointments;
DROP POLICY service_deletes ON appointments; DROP POLICY calendar_own ON appointments;
DROP POLICY owner_all ON tool_calls; DROP POLICY service_sees ON tool_calls;
DROP POLICY service_deletes ON tool_calls; DROP POLICY calendar_own ON tool_calls;
