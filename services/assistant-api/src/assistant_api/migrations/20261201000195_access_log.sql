-- migrate:up

-- Who did what (ADR 56): one row for every read of patients and every write, in the transaction that did it; and for
-- what was refused. Ids only, never content. No foreign key: the row of a clinic's deletion outlives the clinic.
CREATE TABLE access_log (
    id          bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    org_id      uuid,  -- NULL: of no organization, or of more than one
    principal   text NOT NULL CHECK (char_length(principal) BETWEEN 1 AND 200),
    token_id    text CHECK (char_length(token_id) <= 200),
    role        text NOT NULL CHECK (role IN ('platform', 'org', 'operator', 'vapi')),
    scopes      text[],  -- NULL: the token has no such claim, and so all that its role may
    action      text NOT NULL CHECK (action ~ '^[a-z_]{1,40}\.[a-z_]{1,40}$'),
    object_type text NOT NULL GENERATED ALWAYS AS (split_part(action, '.', 1)) STORED,
    object_id   text CHECK (char_length(object_id) <= 128),
    result      text NOT NULL CHECK (result IN ('done', 'refused', 'failed')),
    code        text CHECK (char_length(code) <= 40),
    trace_id    text CHECK (trace_id ~ '^[0-9a-f]{32}$'),
    reason      text CHECK (char_length(reason) BETWEEN 1 AND 200),
    db_user     text NOT NULL DEFAULT session_user  -- the login that wrote the row: nobody says it of himself
);
CREATE INDEX access_log_org ON access_log (org_id, id);
CREATE INDEX access_log_principal ON access_log (principal, id);
-- Rows come in order of time, so that a few pages tell which are old.
CREATE INDEX access_log_at ON access_log USING brin (at) WITH (pages_per_range = 16, autosummarize = on);

-- A row is never changed. It may go when it is older than any retention that the service can be given.
CREATE FUNCTION refuse_access_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_LEVEL = 'ROW' THEN
        IF OLD.at < clock_timestamp() - interval '90 days' THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'the access log is never changed: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER access_log_is_final BEFORE UPDATE OR TRUNCATE ON access_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_access_change();
CREATE TRIGGER access_log_is_kept BEFORE DELETE ON access_log
    FOR EACH ROW EXECUTE FUNCTION refuse_access_change();

ALTER TABLE access_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE access_log FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON access_log TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY service_all ON access_log TO assistant_api_service USING (true) WITH CHECK (true);
CREATE POLICY tenant_own ON access_log FOR SELECT TO assistant_api_tenant
    USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY calendar_own ON access_log FOR INSERT TO assistant_api_calendar
    WITH CHECK (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

-- Not the id, the time and the login: those are the database's word.
GRANT SELECT, DELETE, INSERT (org_id, principal, token_id, role, scopes, action, object_id, result, code, trace_id, reason)
    ON access_log TO assistant_api_service;
GRANT INSERT (org_id, principal, token_id, role, scopes, action, object_id, result, code, trace_id, reason)
    ON access_log TO assistant_api_calendar;
GRANT SELECT ON access_log TO assistant_api_tenant;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
