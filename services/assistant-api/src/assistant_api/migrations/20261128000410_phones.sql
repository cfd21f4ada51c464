-- migrate:up

-- By whose numbering plan national phone numbers are read; NULL: the country of the time zone, where that has one.
ALTER TABLE organizations ADD COLUMN country text CHECK (country ~ '^[A-Z]{2}$');

-- patient_phone stays what was said. phone_e164 is which number that is, without the extension; NULL where nothing
-- tells, and in the rows that were there: `assistant-api migrate` fills those in after this file (appointments/known.py).
ALTER TABLE appointments DROP COLUMN phone_key;
ALTER TABLE appointments ADD COLUMN phone_e164 text CHECK (phone_e164 ~ '^\+[0-9]{4,20}$');

-- How often a caller named an appointment that is not there or not theirs, by conversation; where there is none, by a
-- keyed hash of number and hour. It says nothing about whom.
CREATE TABLE missed_claims (
    org_id    uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    scope     text NOT NULL CHECK (char_length(scope) BETWEEN 1 AND 160),
    misses    integer NOT NULL DEFAULT 1 CHECK (misses > 0),
    missed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, scope)
);
CREATE INDEX missed_claims_old ON missed_claims (missed_at);

ALTER TABLE missed_claims ENABLE ROW LEVEL SECURITY;
ALTER TABLE missed_claims FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON missed_claims TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY service_sees ON missed_claims FOR SELECT TO assistant_api_service USING (true);
CREATE POLICY service_deletes ON missed_claims FOR DELETE TO assistant_api_service USING (true);
CREATE POLICY calendar_own ON missed_claims TO assistant_api_calendar
    USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid))
    WITH CHECK (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE ON missed_claims TO assistant_api_calendar;
GRANT SELECT (org_id, scope, missed_at), DELETE ON missed_claims TO assistant_api_service;

-- migrate:down

DROP TABLE missed_claims;
ALTER TABLE appointments DROP COLUMN phone_e164;
ALTER TABLE appointments ADD COLUMN phone_key text NOT NULL GENERATED ALWAYS AS (ltrim(patient_phone, '+0')) STORED;
CREATE INDEX appointments_phone ON appointments (org_id, phone_key, starts_at);
ALTER TABLE organizations DROP COLUMN country;
