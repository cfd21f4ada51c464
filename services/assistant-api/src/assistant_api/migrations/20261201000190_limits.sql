-- migrate:up

-- What one clinic may have waiting, and what its syncs join (ADR 55).

-- How many saves of a clinic wait, without those of an auto-sync: these are joined, not refused.
CREATE INDEX saves_waiting ON saves (org_id) WHERE state = 'open' AND cause IN ('save', 'sync');

-- The revision that the holder of the lease works on. A release before this one does not write it, and it stays behind.
ALTER TABLE agents ADD COLUMN leased_revision bigint;

-- As request_save, for who only wants an unchanged agent synced. While its newest revision waits, is a save or a sync,
-- and nobody has begun with it, there is nothing to add: whoever takes it looks at Vapi later than now. Then the answer
-- is that save's, which is due at once, as a new one would be. A sync does not join what waits behind saves.
-- Both are NULL where there is no such agent.
CREATE FUNCTION request_sync(
    p_org_id uuid, p_agent_id text, p_cause text, p_request_id uuid, p_traceparent text,
    OUT answered_revision bigint, OUT answered_request uuid
) LANGUAGE plpgsql AS $$
DECLARE
    agent record;
BEGIN
    SELECT revision, request_id INTO answered_revision, answered_request FROM saves
    WHERE request_id = p_request_id AND org_id = p_org_id AND agent_id = p_agent_id;
    IF FOUND THEN
        RETURN;
    END IF;
    SELECT saved_revision, bulk, lease_until >= now() AND leased_revision IS NOT DISTINCT FROM saved_revision AS begun
    INTO agent FROM agents WHERE org_id = p_org_id AND id = p_agent_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT revision, request_id INTO answered_revision, answered_request FROM saves
    WHERE org_id = p_org_id AND agent_id = p_agent_id AND state = 'open' AND revision = agent.saved_revision
      AND agent.begun IS NOT TRUE AND (p_cause = 'auto_sync' OR (cause <> 'auto_sync' AND NOT agent.bulk))
    ORDER BY created_at LIMIT 1;
    IF FOUND THEN
        UPDATE agents SET next_due = now() WHERE org_id = p_org_id AND id = p_agent_id AND next_due > now();
        RETURN;
    END IF;
    answered_revision := request_save(p_org_id, p_agent_id, p_cause, p_request_id, p_traceparent);
    answered_request := p_request_id;
END $$;

-- The newest auto-sync of all agents of a clinic. It is over when none of its saves is open: they were made in its own
-- transaction, so they have its time. A row for each clinic that ever asked, to be locked by who asks next.
CREATE TABLE auto_syncs (
    org_id    uuid PRIMARY KEY REFERENCES organizations (id) ON DELETE CASCADE,
    id        uuid,
    asked_at  timestamptz,
    requested bigint NOT NULL DEFAULT 0
);
ALTER TABLE auto_syncs ENABLE ROW LEVEL SECURITY;
ALTER TABLE auto_syncs FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON auto_syncs TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY service_all ON auto_syncs TO assistant_api_service USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON auto_syncs TO assistant_api_service;

-- Asks for a sync of all agents, or joins the auto-sync that is under way, if it was asked for at most
-- p_joined_seconds ago: an agent that Vapi never takes must not end auto-syncs for ever.
CREATE FUNCTION request_auto_sync(
    p_org_id uuid, p_traceparent text, p_joined_seconds double precision,
    OUT auto_sync_id uuid, OUT auto_sync_asked_at timestamptz, OUT agents_requested bigint, OUT joined boolean
) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO auto_syncs (org_id) SELECT id FROM organizations WHERE id = p_org_id ON CONFLICT DO NOTHING;
    -- Two at the same moment: the second waits here, and then sees the first one's saves.
    SELECT id, asked_at, requested INTO auto_sync_id, auto_sync_asked_at, agents_requested FROM auto_syncs
    WHERE org_id = p_org_id FOR UPDATE;
    joined := auto_sync_asked_at > now() - make_interval(secs => p_joined_seconds) AND EXISTS (
        SELECT FROM saves
        WHERE org_id = p_org_id AND state = 'open' AND cause = 'auto_sync' AND created_at = auto_sync_asked_at);
    IF joined THEN
        RETURN;
    END IF;
    joined := false;
    auto_sync_id := gen_random_uuid();
    auto_sync_asked_at := now();
    agents_requested := request_save_of_all(p_org_id, 'auto_sync', p_traceparent);
    UPDATE auto_syncs SET id = auto_sync_id, asked_at = auto_sync_asked_at, requested = agents_requested
    WHERE org_id = p_org_id;
END $$;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
