-- migrate:up
-- A save says in which account at Vapi the assistant is, where that is the clinic's own (ADR 76): tool-sync hears of the
-- account over another topic, perhaps later. What the platform's is called is a setting of each service, and is not said.

CREATE OR REPLACE FUNCTION agents_publish_saved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    WITH settled AS (
        UPDATE saves SET state = 'saved', closed_at = now()
        WHERE org_id = NEW.org_id AND agent_id = NEW.id AND state = 'open' AND revision <= NEW.provisioned_revision
        RETURNING request_id, revision, cause, traceparent
    )
    INSERT INTO outbox (org_id, message_id, type, body, traceparent)
    SELECT NEW.org_id, s.request_id, 'zerotouch.AssistantSaved.v1',
           jsonb_build_object(
               'org_id', NEW.org_id,
               'request_id', s.request_id,
               'agent_id', NEW.id,
               'assistant_id', NEW.vapi_assistant_id,
               'revision', NEW.provisioned_revision,
               'model_hash', NEW.model_hash,
               'cause', s.cause)
           || CASE WHEN NEW.vapi_account LIKE 'vapi-%' THEN jsonb_build_object('vapi_account', NEW.vapi_account)
                   ELSE '{}' END,
           coalesce(s.traceparent, NEW.provision_traceparent)
    FROM settled s
    ORDER BY s.revision, s.request_id;
    RETURN NULL;
END $$;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
