-- migrate:up

-- Three kinds of readers, and a policy for each: the owner (migrations, operators in plain SQL), the service, and an
-- organization's token, which sees its own rows only. FORCE, so that nobody is exempt by owning the table.
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['organizations', 'agents', 'saves', 'outbox', 'outcomes'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', t);
        EXECUTE format('CREATE POLICY service_all ON %I TO assistant_api_service USING (true) WITH CHECK (true)', t);
        EXECUTE format(
            'CREATE POLICY tenant_own ON %I TO assistant_api_tenant USING (%I = (SELECT nullif(current_setting(''app.org_id'', true), '''')::uuid))',
            t, CASE t WHEN 'organizations' THEN 'id' ELSE 'org_id' END);
    END LOOP;
END $$;

GRANT USAGE ON SCHEMA public TO assistant_api_service, assistant_api_tenant;
GRANT SELECT ON organizations, agents, saves, outcomes TO assistant_api_tenant;
GRANT SELECT, INSERT, UPDATE ON organizations, agents, outcomes TO assistant_api_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON saves, idempotency_keys TO assistant_api_service;
GRANT SELECT, INSERT, DELETE ON outbox TO assistant_api_service;
GRANT SELECT, INSERT ON installation TO assistant_api_service;

-- migrate:down

REVOKE ALL ON organizations, agents, saves, outbox, outcomes, idempotency_keys, installation
    FROM assistant_api_service, assistant_api_tenant;
DROP POLICY owner_all ON organizations; DROP POLICY service_all ON organizations; DROP POLICY tenant_own ON organizations;
DROP POLICY owner_all ON agents; DROP POLICY service_all ON agents; DROP POLICY tenant_own ON agents;
DROP POLICY owner_all ON saves; DROP POLICY service_all ON saves; DROP POLICY tenant_own ON saves;
DROP POLICY owner_all ON outbox; DROP POLICY service_all ON outbox; DROP POLICY tenant_own ON outbox;
DROP POLICY owner_all ON outcomes; DROP POLICY service_all ON outcomes; DROP POLICY tenant_own ON outcomes;
