-- migrate:up

-- The list of tiers is closed (contracts: tiers.py). Another value counted as the lowest tier everywhere, so it becomes
-- that; the update is announced like any other, and changes no clinic's tools.
DO $$
DECLARE
    clinics bigint;
BEGIN
    UPDATE organizations SET tier = 'basic' WHERE tier NOT IN ('basic', 'professional', 'enterprise');
    GET DIAGNOSTICS clinics = ROW_COUNT;
    IF clinics > 0 THEN
        RAISE NOTICE '% organizations had a tier that is none: they are basic now', clinics;
    END IF;
END $$;

ALTER TABLE organizations
    DROP CONSTRAINT organizations_tier_check,
    ADD CONSTRAINT organizations_tier CHECK (tier IN ('basic', 'professional', 'enterprise'));

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
