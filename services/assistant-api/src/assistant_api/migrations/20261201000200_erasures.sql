-- migrate:up

-- Patients that were erased (ADR 64).

-- An erasure takes what was there before it, to the microsecond: the time at which a row is written, not that at which
-- its transaction began, which may have waited for the erasure.
ALTER TABLE appointments ALTER COLUMN created_at SET DEFAULT clock_timestamp();

-- Every tool call that made or changed an appointment, for as long as the appointment is kept: which phone calls are a
-- patient's. Calls from before this table are known by the appointment's own call_id.
CREATE TABLE appointment_calls (
    org_id         uuid NOT NULL,
    appointment_id uuid NOT NULL,
    call_id        text NOT NULL,
    tool_call_id   text NOT NULL,
    PRIMARY KEY (org_id, appointment_id, call_id, tool_call_id),
    FOREIGN KEY (org_id, appointment_id) REFERENCES appointments (org_id, id) ON DELETE CASCADE
);

-- The receipts. No name and no number: `hashes` have a key that is not in the database. No foreign key: a clinic that
-- is gone has erased its patients all the same.
CREATE TABLE erasures (
    id           uuid PRIMARY KEY,
    org_id       uuid NOT NULL,
    erased_at    timestamptz NOT NULL,
    principal    text NOT NULL CHECK (char_length(principal) BETWEEN 1 AND 200),
    appointments integer NOT NULL,
    answers      integer NOT NULL,  -- kept answers to tool calls that were blanked
    key_id       text NOT NULL,
    hashes       text[] NOT NULL,
    listed_at    timestamptz,  -- since when erasures.v1 has it: from then on a restore brings nothing back
    again_at     timestamptz   -- when something of it was erased again, after a restore
);
CREATE INDEX erasures_list ON erasures (org_id, erased_at, id);
CREATE INDEX erasures_old ON erasures (erased_at);

-- Phone calls of an erased patient, which Vapi may keep. `to_delete`: by us, in the background; `kept`: not by us.
CREATE TABLE erased_calls (
    erasure_id   uuid NOT NULL REFERENCES erasures (id) ON DELETE CASCADE,
    org_id       uuid NOT NULL,
    call_id      text NOT NULL,
    state        text NOT NULL CHECK (state IN ('kept', 'to_delete', 'deleted')),
    next_due     timestamptz NOT NULL DEFAULT now(),
    failures     integer NOT NULL DEFAULT 0,
    failure_code text,
    PRIMARY KEY (erasure_id, call_id)
);
CREATE INDEX erased_calls_due ON erased_calls (next_due) WHERE state = 'to_delete';

DO $$
DECLARE
    t text;
    own CONSTANT text := '(org_id = (SELECT nullif(current_setting(''app.org_id'', true), '''')::uuid))';
BEGIN
    FOREACH t IN ARRAY ARRAY['appointment_calls', 'erasures', 'erased_calls'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', t);
        EXECUTE format('CREATE POLICY calendar_own ON %I TO assistant_api_calendar USING %s WITH CHECK %s', t, own, own);
        IF t <> 'appointment_calls' THEN
            EXECUTE format('CREATE POLICY service_all ON %I TO assistant_api_service USING (true) WITH CHECK (true)', t);
            EXECUTE format('CREATE POLICY tenant_own ON %I FOR SELECT TO assistant_api_tenant USING %s', t, own);
        END IF;
    END LOOP;
END $$;

GRANT SELECT, INSERT ON appointment_calls TO assistant_api_calendar;
GRANT SELECT, INSERT, UPDATE ON erasures, erased_calls TO assistant_api_calendar;
GRANT SELECT, UPDATE, DELETE ON erasures, erased_calls TO assistant_api_service;
GRANT SELECT ON erasures, erased_calls TO assistant_api_tenant;
GRANT DELETE ON missed_claims TO assistant_api_calendar;

-- An erasure that is applied again after a restore is done by the service itself.
ALTER TABLE access_log
    DROP CONSTRAINT access_log_role_check,
    ADD CONSTRAINT access_log_role_check CHECK (role IN ('platform', 'org', 'operator', 'vapi', 'service'));

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
