-- migrate:up

-- Group roles, shared by all databases of the server. Two databases may be migrated at the same moment, and the
-- advisory lock of `migrate` holds for one database only: whoever comes second finds the role made.
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['assistant_api_service', 'assistant_api_tenant', 'assistant_api_calendar'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            RAISE NOTICE 'role % exists', role_name;
        END;
    END LOOP;
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

-- Who answers tool calls: this role sees and writes one organization's calendar, the one that app.org_id names. The
-- service's own role can neither read nor write an appointment, only throw away old ones: it must become this role,
-- and inherits nothing of it.
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

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
