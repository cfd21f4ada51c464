-- migrate:up

-- Clinics with an account of their own at Vapi (ADR 76), named `vapi-<Vapi's orgId>`; everybody else has the platform's.
-- The account's key is sealed: neither this table nor a backup of it has what opens it. No foreign key: the assistants of
-- a clinic that was deleted have to go from Vapi, and so must its tools.
CREATE TABLE vapi_accounts (
    org_id          uuid PRIMARY KEY,
    account         text NOT NULL CHECK (account ~ '^vapi-[A-Za-z0-9-]{1,59}$'),
    sealed_key      text NOT NULL CHECK (char_length(sealed_key) <= 1024
                                         AND sealed_key ~ '^[A-Za-z0-9_-]{1,32}\.[A-Za-z0-9_-]+={0,2}$'),
    -- What the key is called in vapi_keys and key_minutes, and by tool-sync.
    key_fingerprint text NOT NULL CHECK (key_fingerprint ~ '^[0-9a-f]{32}$'),
    tool_server_credential_id text CHECK (char_length(tool_server_credential_id) <= 64
                                          AND tool_server_credential_id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]*$'),
    requests_per_minute integer CHECK (requests_per_minute BETWEEN 1 AND 1000000),
    revision        bigint NOT NULL,
    changed_at      timestamptz NOT NULL,
    changed_by      text NOT NULL DEFAULT session_user CHECK (char_length(changed_by) BETWEEN 1 AND 200),
    -- When the clinic was deleted: the row goes once nothing of the clinic is at Vapi any more.
    closed_at       timestamptz
);
CREATE INDEX vapi_accounts_key ON vapi_accounts (key_fingerprint);
CREATE INDEX vapi_accounts_account ON vapi_accounts (account);
CREATE INDEX vapi_accounts_closed ON vapi_accounts (closed_at) WHERE closed_at IS NOT NULL;

-- Rises over a deletion, too, so that no row of one clinic has the revision of another life of it.
CREATE SEQUENCE vapi_account_revisions;

CREATE FUNCTION vapi_accounts_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.revision := nextval('vapi_account_revisions');
    NEW.changed_at := clock_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER vapi_accounts_count_insert BEFORE INSERT ON vapi_accounts
    FOR EACH ROW EXECUTE FUNCTION vapi_accounts_count();
CREATE TRIGGER vapi_accounts_count_update BEFORE UPDATE ON vapi_accounts
    FOR EACH ROW WHEN ((NEW.account, NEW.sealed_key, NEW.key_fingerprint, NEW.tool_server_credential_id,
                        NEW.requests_per_minute)
                       IS DISTINCT FROM (OLD.account, OLD.sealed_key, OLD.key_fingerprint,
                                         OLD.tool_server_credential_id, OLD.requests_per_minute))
    EXECUTE FUNCTION vapi_accounts_count();

-- Whoever calls this holds the row's lock, or there is no row: of one clinic the outbox has what was said in order.
CREATE FUNCTION say_vapi_account(p_org_id uuid, p_account vapi_accounts) RETURNS void LANGUAGE sql AS $$
    INSERT INTO outbox (org_id, message_id, type, body, traceparent)
    VALUES (p_org_id, gen_random_uuid(), 'zerotouch.VapiAccount.v1',
            jsonb_build_object('org_id', p_org_id, 'account', p_account.account, 'sealed_key', p_account.sealed_key,
                               'key_fingerprint', p_account.key_fingerprint,
                               'tool_server_credential_id', p_account.tool_server_credential_id,
                               'requests_per_minute', p_account.requests_per_minute, 'revision', p_account.revision),
            nullif(current_setting('app.traceparent', true), ''))
$$;

CREATE FUNCTION vapi_accounts_say() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM say_vapi_account(CASE TG_OP WHEN 'DELETE' THEN OLD.org_id ELSE NEW.org_id END, NEW);
    RETURN NULL;
END $$;
CREATE TRIGGER vapi_accounts_say_first AFTER INSERT ON vapi_accounts
    FOR EACH ROW EXECUTE FUNCTION vapi_accounts_say();
CREATE TRIGGER vapi_accounts_say_other AFTER UPDATE ON vapi_accounts
    FOR EACH ROW WHEN (NEW.revision <> OLD.revision) EXECUTE FUNCTION vapi_accounts_say();
CREATE TRIGGER vapi_accounts_say_none AFTER DELETE ON vapi_accounts
    FOR EACH ROW EXECUTE FUNCTION vapi_accounts_say();

-- What a clinic has at its account, or may have: while this is true its account is not changed.
CREATE FUNCTION is_at_vapi(p_org_id uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM agents WHERE org_id = p_org_id)
        OR EXISTS (SELECT FROM removals WHERE org_id = p_org_id)
        OR EXISTS (SELECT FROM unanswered_creations WHERE org_id = p_org_id)
        OR EXISTS (SELECT FROM erased_calls WHERE org_id = p_org_id AND state = 'to_delete')
$$;

-- For everybody, plain SQL too. The clinic's row is locked: an agent that is being inserted holds it (see below), so that
-- it is seen here, or waits and gets what this leaves behind.
CREATE FUNCTION vapi_accounts_keep() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    org CONSTANT uuid := CASE TG_OP WHEN 'DELETE' THEN OLD.org_id ELSE NEW.org_id END;
BEGIN
    PERFORM FROM organizations WHERE id = org FOR UPDATE;
    IF TG_OP = 'INSERT' AND NOT FOUND THEN
        RAISE EXCEPTION 'there is no organization %', org USING ERRCODE = 'foreign_key_violation';
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.org_id <> OLD.org_id THEN
        RAISE EXCEPTION 'an account keeps its clinic' USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'INSERT' AND EXISTS (SELECT FROM vapi_accounts WHERE org_id = org) THEN
        RETURN NEW;  -- an upsert: its update is judged
    END IF;
    IF is_at_vapi(org) THEN
        RAISE EXCEPTION 'the clinic has agents, or something at Vapi that is still to be deleted'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'vapi_accounts_of_clinics_without_agents';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER vapi_accounts_keep_first BEFORE INSERT ON vapi_accounts
    FOR EACH ROW EXECUTE FUNCTION vapi_accounts_keep();
CREATE TRIGGER vapi_accounts_keep_same BEFORE UPDATE ON vapi_accounts
    FOR EACH ROW WHEN (NEW.account <> OLD.account OR NEW.org_id <> OLD.org_id) EXECUTE FUNCTION vapi_accounts_keep();
CREATE TRIGGER vapi_accounts_keep_last BEFORE DELETE ON vapi_accounts
    FOR EACH ROW EXECUTE FUNCTION vapi_accounts_keep();

-- An agent is at its clinic's account, whoever inserts it and whatever they say. By its name this comes first.
CREATE FUNCTION agents_at_account() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    own text;
BEGIN
    PERFORM FROM organizations WHERE id = NEW.org_id FOR KEY SHARE;  -- as the foreign key does, but before the look
    SELECT account INTO own FROM vapi_accounts WHERE org_id = NEW.org_id;
    IF FOUND THEN
        NEW.vapi_account := own;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER agents_at_account_insert BEFORE INSERT ON agents FOR EACH ROW EXECUTE FUNCTION agents_at_account();
CREATE TRIGGER agents_at_account_update BEFORE UPDATE OF vapi_account ON agents
    FOR EACH ROW WHEN (NEW.vapi_account <> OLD.vapi_account) EXECUTE FUNCTION agents_at_account();

CREATE FUNCTION organizations_close_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE vapi_accounts SET closed_at = CASE TG_OP WHEN 'DELETE' THEN clock_timestamp() END
    WHERE org_id = CASE TG_OP WHEN 'DELETE' THEN OLD.id ELSE NEW.id END;
    RETURN NULL;
END $$;
CREATE TRIGGER organizations_close_account AFTER DELETE ON organizations
    FOR EACH ROW EXECUTE FUNCTION organizations_close_account();
CREATE TRIGGER organizations_open_account AFTER INSERT ON organizations
    FOR EACH ROW EXECUTE FUNCTION organizations_close_account();

ALTER TABLE vapi_accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE vapi_accounts FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON vapi_accounts TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY service_all ON vapi_accounts TO assistant_api_service USING (true) WITH CHECK (true);
CREATE POLICY tenant_own ON vapi_accounts FOR SELECT TO assistant_api_tenant
    USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON vapi_accounts TO assistant_api_service;
GRANT USAGE ON SEQUENCE vapi_account_revisions TO assistant_api_service;
-- Not the sealed key.
GRANT SELECT (org_id, account, key_fingerprint, tool_server_credential_id, requests_per_minute, changed_at, changed_by,
              closed_at) ON vapi_accounts TO assistant_api_tenant;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
