CREATE TABLE IF NOT EXISTS readiness (
  org_id   uuid    NOT NULL,
  agent_id text    NOT NULL,
  can_book boolean NOT NULL,
  PRIMARY KEY (org_id, agent_id)
);
-- How far the rows go: the newest applied message of each org, the log they come from, and a place in it.
CREATE TABLE IF NOT EXISTS marks (
  org_id   uuid   PRIMARY KEY,
  sequence bigint NOT NULL,
  event_id text
);
CREATE TABLE IF NOT EXISTS source (
  single   boolean PRIMARY KEY DEFAULT true CHECK (single),
  log_id   uuid,
  position bigint NOT NULL DEFAULT 0
);
