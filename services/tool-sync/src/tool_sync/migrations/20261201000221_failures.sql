-- migrate:up
-- What whoever is on call asks (ADR 71), found without a walk over every assistant and every event.

-- Under the append lock, as in 20261201000160.
SELECT pg_advisory_xact_lock(7311);

-- Few of many rows. Saves, links and outcomes that are as before change none of these columns, so their updates stay on
-- the page.
CREATE INDEX assistants_failed ON assistants (code, org_id, agent_id) WHERE outcome = 'failed' AND NOT removed;

-- The outcomes that are told, in their time: counted from the index alone.
CREATE INDEX events_outcomes ON events (recorded_at, type)
 WHERE type IN ('AssistantSynced', 'AssistantSyncFailed') AND (data ->> 'sequence') IS NOT NULL;

-- What was asked for in one go has one correlation id.
CREATE INDEX events_retries ON events ((meta ->> 'correlation_id'), org_id) WHERE type = 'RetryRequested';
CREATE INDEX operator_actions_retries ON operator_actions (id) WHERE action = 'failures.retry';
CREATE INDEX operator_actions_retries_ended ON operator_actions (object_id) WHERE action = 'failures.retry_end';

CREATE INDEX vapi_words_of_code ON vapi_words (code, at DESC);

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
