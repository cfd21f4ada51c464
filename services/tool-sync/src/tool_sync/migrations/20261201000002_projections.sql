-- migrate:up
-- What is known now, folded from the log. Only append writes these tables.

-- append runs fold_<name>(from exclusive, to inclusive) for each row. types: the event types that the fold reads, so
-- that append can leave out a fold that has nothing to do; null means any.
CREATE TABLE projections (
  name     text   PRIMARY KEY,
  position bigint NOT NULL DEFAULT 0,
  types    text[]
) WITH (fillfactor = 10);  -- updated by every append: room on the page keeps its index still

CREATE TABLE organizations (
  id         uuid        PRIMARY KEY,
  tier       text        NOT NULL DEFAULT 'basic',
  closed     boolean     NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  position   bigint      NOT NULL
);

CREATE TABLE system_tools (
  name            text    PRIMARY KEY,
  version         int     NOT NULL,
  tier            text    NOT NULL,
  asynchronous    boolean NOT NULL,
  definition_hash text    NOT NULL,
  position        bigint  NOT NULL
);

CREATE TABLE org_tools (
  id                 bigint       PRIMARY KEY,  -- position of the event that first made the row
  org_id             uuid         NOT NULL REFERENCES organizations (id) DEFERRABLE INITIALLY DEFERRED,
  tool_name          varchar(255) NOT NULL,
  vapi_tool_id       varchar(255) NOT NULL,
  enabled            boolean      NOT NULL DEFAULT true,
  account            text         NOT NULL,
  definition_version int          NOT NULL,
  definition_hash    text         NOT NULL,
  created_at         timestamptz  NOT NULL,
  updated_at         timestamptz  NOT NULL,
  position           bigint       NOT NULL,
  UNIQUE (org_id, tool_name)
);

CREATE TABLE assistants (
  org_id            uuid    NOT NULL,
  agent_id          text    NOT NULL,
  assistant_id      text,
  revision          bigint,
  saved             jsonb   NOT NULL DEFAULT '[]',  -- the last 8 different [revision, model_hash], newest last
  base_hash         text,                           -- what our last write was built on
  model_hash        text,                           -- Vapi's answer to it
  linked_revision   bigint,                         -- the newest save that it knew of
  linked            jsonb,
  synced_tools      jsonb,
  outcome           text    CHECK (outcome IN ('synced', 'failed')),
  code              text,
  look_at           timestamptz,
  settled_revision  bigint,
  settled_assistant_id text, -- the one that its newest outcome is about
  diverged_revision bigint,
  drift_hash        text,
  removed           boolean NOT NULL DEFAULT false,
  removed_revision  bigint,  -- the newest one of its life before, if known: outcomes up to it are of that life
  split             jsonb,   -- the newest TrafficSplitSeen: its assistant, and the versions that get calls
  linked_version    text,    -- Vapi's label of the version that our last write made
  position          bigint  NOT NULL,
  PRIMARY KEY (org_id, agent_id)
) WITH (fillfactor = 70);
-- People ask for an assistant by its id at Vapi or by their own; neither names the org.
CREATE INDEX assistants_assistant_id ON assistants (assistant_id);
CREATE INDEX assistants_agent_id ON assistants (agent_id);

-- One row per assistant, one with agent '' for what concerns the whole org, and one with agent '?' for saves that could
-- not be read (neither is an agent's id). Positions, merged by maximum.
CREATE TABLE pending_syncs (
  org_id         uuid   NOT NULL,
  agent_id       text   NOT NULL,
  requested      bigint NOT NULL DEFAULT 0,
  settled        bigint NOT NULL DEFAULT 0,
  save_requested bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (org_id, agent_id)
) WITH (fillfactor = 70);
CREATE INDEX pending_syncs_open ON pending_syncs (org_id, requested) WHERE requested > settled;

INSERT INTO projections (name, types) VALUES
  ('organizations', NULL),
  ('system_tools', '{BlueprintPublished}'),
  ('org_tools', '{ToolRegistered,ToolUpdated,ToolVanished,ToolRetired,ToolReinstated,ToolDeleted}'),
  ('assistants', '{SyncRequested,AssistantRemoved,AssistantLinked,AssistantSynced,AssistantSyncFailed,
                   AssistantDiverged,DriftDetected,TrafficSplitSeen}'),
  ('pending_syncs', '{SyncRequested,RequestUnreadable,OrgTierChanged,ToolSettingChanged,RetryRequested,AssistantRemoved,
                      OrgClosed,ToolVanished,SurplusFound,AssistantSynced,AssistantSyncFailed,OrgSettled,
                      TrafficSplitSeen,ToolDriftSeen}');

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
