-- migrate:up

-- One row: which installation this database belongs to, and the id of the log that its messages form.
CREATE TABLE installation (
    single          boolean PRIMARY KEY DEFAULT true CHECK (single),
    installation_id uuid NOT NULL,
    log_id          uuid NOT NULL DEFAULT gen_random_uuid(),
    created_at      timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE organizations (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name       text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    tier       text NOT NULL DEFAULT 'basic' CHECK (char_length(tier) <= 40 AND tier ~ '^[a-z][a-z0-9-]*$'),
    revision   bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- The row is the queue: a revision above what is provisioned or refused is all that the provisioner looks at.
-- NULL in what the assistant says means: not ours, leave at Vapi what is there.
CREATE TABLE agents (
    org_id                uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    id                    text NOT NULL DEFAULT gen_random_uuid()::text
                          CHECK (char_length(id) <= 64 AND id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]*$'),
    name                  text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 40),
    system_prompt         text,
    first_message         text,
    voice                 jsonb CHECK (jsonb_typeof(voice) = 'object'),
    model                 jsonb CHECK (jsonb_typeof(model -> 'provider') = 'string'
                                       AND jsonb_typeof(model -> 'model') = 'string'),
    vapi_account          text NOT NULL DEFAULT 'platform',
    vapi_assistant_id     text CHECK (char_length(vapi_assistant_id) <= 64
                                      AND vapi_assistant_id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]*$'),
    saved_revision        bigint NOT NULL DEFAULT 0,
    provisioned_revision  bigint NOT NULL DEFAULT 0,
    refused_revision      bigint NOT NULL DEFAULT 0,
    model_hash            text,
    refusal               text[] NOT NULL DEFAULT '{}',
    -- Bulk work waits behind saves.
    bulk                  boolean NOT NULL DEFAULT false,
    next_due              timestamptz NOT NULL DEFAULT now(),
    failures              integer NOT NULL DEFAULT 0,
    failure_code          text,
    lease_token           uuid,
    lease_until           timestamptz,
    -- A write to Vapi that has no answer yet; nobody starts another before it can no longer land.
    attempt_id            uuid,
    attempt_at            timestamptz,
    attempt_creates       boolean,
    provision_traceparent text,
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, id),
    CHECK (provisioned_revision <= saved_revision AND refused_revision <= saved_revision),
    CHECK ((attempt_id IS NULL) = (attempt_at IS NULL)),
    CHECK (provisioned_revision = 0 OR model_hash IS NOT NULL)
) WITH (fillfactor = 80);

CREATE INDEX agents_pending ON agents (bulk, next_due)
    WHERE saved_revision > greatest(provisioned_revision, refused_revision);
CREATE INDEX agents_id ON agents (id);
CREATE UNIQUE INDEX agents_vapi_assistant ON agents (vapi_account, vapi_assistant_id)
    WHERE vapi_assistant_id IS NOT NULL;

-- Every request to bring an assistant to Vapi; each open one becomes one AssistantSaved.
CREATE TABLE saves (
    request_id  uuid PRIMARY KEY,
    org_id      uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    agent_id    text NOT NULL,
    revision    bigint NOT NULL,
    cause       text NOT NULL CHECK (cause IN ('save', 'sync', 'auto_sync', 'repair')),
    traceparent text,
    state       text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'saved', 'refused', 'deleted')),
    created_at  timestamptz NOT NULL DEFAULT now(),
    closed_at   timestamptz
);
CREATE INDEX saves_open ON saves (org_id, agent_id, revision) WHERE state = 'open';
CREATE INDEX saves_repair ON saves (org_id, agent_id, created_at) WHERE cause = 'repair';
CREATE INDEX saves_closed ON saves (closed_at) WHERE state <> 'open';

-- Messages that Kafka does not have yet; deleted when it has. No foreign key: the last message says "deleted".
CREATE TABLE outbox (
    id          bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    org_id      uuid NOT NULL,
    message_id  uuid NOT NULL,
    type        text NOT NULL,
    body        jsonb NOT NULL,
    traceparent text,
    occurred_at timestamptz NOT NULL DEFAULT now()
);

-- The newest outcome that tool-sync published for an assistant.
CREATE TABLE outcomes (
    org_id       uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    agent_id     text NOT NULL,
    sequence     bigint NOT NULL,
    event_id     text NOT NULL,
    synced       boolean NOT NULL,
    assistant_id text,
    revision     bigint,
    tools        text[] NOT NULL,
    failed_tools text[] NOT NULL,
    code         text,
    message      text NOT NULL DEFAULT '',
    cause        text,
    trace_id     text,
    occurred_at  timestamptz NOT NULL,
    PRIMARY KEY (org_id, agent_id)
);

-- Answers kept for repeated POSTs. `scope` is who asked: role, organization and subject of the token.
CREATE TABLE idempotency_keys (
    scope        text NOT NULL,
    key          text NOT NULL,
    request_hash text NOT NULL,
    status       integer,
    body         text,
    content_type text,
    locked_until timestamptz NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);

-- migrate:down

DROP TABLE idempotency_keys, outcomes, outbox, saves, agents, organizations, installation;
