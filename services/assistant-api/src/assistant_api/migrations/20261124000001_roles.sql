-- migrate:up

-- Group roles, shared by all databases of the server. Two databases may be migrated at the same moment, and the
-- advisory lock of `migrate` holds for one database only: whoever comes second finds the role made.
DO $$
BEGIN
    CREATE ROLE assistant_api_service NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    RAISE NOTICE 'role assistant_api_service exists';
END $$;

DO $$
BEGIN
    CREATE ROLE assistant_api_tenant NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    RAISE NOTICE 'role assistant_api_tenant exists';
END $$;

-- Grants only what is missing: a repeated GRANT by another owner would be refused.
CREATE FUNCTION grant_role_once(granted name, grantee name) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM pg_auth_members m
        WHERE m.roleid = granted::text::regrole AND m.member = grantee::text::regrole AND m.set_option
    ) THEN
        RETURN;
    END IF;
    EXECUTE format('GRANT %I TO %I', granted, grantee);
EXCEPTION WHEN unique_violation THEN
    RAISE NOTICE '% has been granted to % by another migration', granted, grantee;
END $$;

SELECT grant_role_once('assistant_api_tenant', 'assistant_api_service');
SELECT grant_role_once('assistant_api_service', 'assistant_api')
WHERE EXISTS (SELECT FROM pg_roles WHERE rolname = 'assistant_api');

DROP FUNCTION grant_role_once(name, name);

-- migrate:down

-- The roles stay: other databases of the server use them.
SELECT 1;
