-- migrate:up

-- One row: which installation this database belongs to, and the id of the log that its messages form.
CREATE TABLE installation (
    single          boolean PRIMARY KEY DEFAULT true CHECK (single),
    installation_id uuid NOT NULL,
    log_id          uuid NOT NULL DEFAULT gen_random_uuid(),
    created_at      timestamptz NOT NULL DEFAULT now(),
    -- After a restore (ADR 28) every revision begins above what was published before it: the second at which
    -- `assistant-api restore` ran. No agent is ever saved more than once a second on average, so a later restore begins
    -- above an earlier one's, too, and nobody has to know which revisions the backup lacks.
    revision_floor  bigint NOT NULL DEFAULT 0,
    restored_at     timestamptz
);

CREATE TABLE organizations (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name       text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    tier       text NOT NULL DEFAULT 'basic' CHECK (char_length(tier) <= 40 AND tier ~ '^[a-z][a-z0-9-]*$'),
    revision   bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    -- What the clinic's calendar looks like. NULL opening hours: always open; NULL services: any.
    -- opening_hours: {"monday": [["09:00", "12:30"], ["13:30", "17:00"]], …}; a day that is not there is closed.
    calendar      bigint NOT NULL GENERATED ALWAYS AS IDENTITY (MAXVALUE 536870911),  -- see appointments
    time_zone     text NOT NULL DEFAULT 'UTC' CHECK (char_length(time_zone) BETWEEN 1 AND 64),
    slot_minutes  integer NOT NULL DEFAULT 30 CHECK (slot_minutes BETWEEN 5 AND 480),
    opening_hours jsonb CHECK (jsonb_typeof(opening_hours) = 'object'),
    services      text[] CHECK (cardinality(services) <= 100),
    -- By whose numbering plan national phone numbers are read; NULL: the country of the time zone, where that has one.
    country       text CHECK (country ~ '^[A-Z]{2}$'),
    calendar_changed_at timestamptz,  -- see prompt blocks
    CONSTRAINT organizations_calendar UNIQUE (calendar),
    CONSTRAINT organizations_id_calendar UNIQUE (id, calendar)
);
CREATE INDEX organizations_calendar_changed ON organizations (calendar_changed_at)
    WHERE calendar_changed_at IS NOT NULL;

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
    -- Whether we made the assistant that the row names; one that was adopted is left at Vapi when its agent goes.
    vapi_made             boolean NOT NULL DEFAULT false,
    -- Whether we have seen, at Vapi, the very assistant that the row names. Only then does "there is none" mean that it
    -- is gone and another is made; one that somebody named just now never was there, and that is refused.
    vapi_seen             boolean NOT NULL DEFAULT false,
    -- Counted up by each statement of the provisioner that stores or forgets an assistant's id. An id that changes
    -- while this stands still was given by somebody: a save.
    provisioner_writes    bigint NOT NULL DEFAULT 0,
    saved_revision        bigint NOT NULL DEFAULT 0,
    -- The newest revision that somebody asked for. A rewrite of our block is a revision too, and nobody's wish: what
    -- the status says of the agent is still so while it is on its way.
    asked_revision        bigint NOT NULL DEFAULT 0,
    provisioned_revision  bigint NOT NULL DEFAULT 0,
    refused_revision      bigint NOT NULL DEFAULT 0,
    model_hash            text,
    block_hash            text,  -- of the prompt block that the newest provisioned revision has
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

-- Every request to bring an assistant to Vapi; each open one becomes one AssistantSaved. No foreign key: what was
-- accepted stays readable after its organization is gone, closed as `deleted`.
CREATE TABLE saves (
    request_id  uuid PRIMARY KEY,
    org_id      uuid NOT NULL,
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
CREATE INDEX saves_in_order ON saves (created_at, request_id);

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
    log_id       uuid,  -- whose number the sequence is; NULL: of a log that was not noted
    tools        text[] NOT NULL,
    -- Of `tools`, one each; empty where the outcome did not say.
    tool_versions integer[] NOT NULL DEFAULT '{}',
    failed_tools text[] NOT NULL,
    code         text,
    reason       text,  -- why an assistant has no tools and is to have none: a code of the catalogue
    message      text NOT NULL DEFAULT '',
    cause        text,
    trace_id     text,
    occurred_at  timestamptz NOT NULL,
    tools_lost_at timestamptz,  -- see prompt blocks
    PRIMARY KEY (org_id, agent_id)
);
CREATE INDEX outcomes_tools_lost ON outcomes (tools_lost_at) WHERE tools_lost_at IS NOT NULL;

-- Which log of tool-sync's is followed for an organization, and which ones it has replaced: after a restore of its
-- database the numbers begin anew, and what the older log said late must not win. By the subscriber kit's own rules.
CREATE TABLE followed_logs (
    org_id    uuid PRIMARY KEY REFERENCES organizations (id) ON DELETE CASCADE,
    log_id    uuid NOT NULL,
    newest_at timestamptz NOT NULL,
    former    uuid[] NOT NULL DEFAULT '{}'
);

-- Answers kept for repeated POSTs. `scope` is who asked: role, organization and subject of the token.
CREATE TABLE idempotency_keys (
    scope        text NOT NULL,
    key          text NOT NULL,
    request_hash text NOT NULL,
    seed         uuid,  -- where the ids of the request come from (ADR 23)
    status       integer,
    body         text,
    content_type text,
    locked_until timestamptz NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
