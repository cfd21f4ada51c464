-- migrate:up
-- How far a topic was seen, and what was lost of it until somebody has acknowledged that: a restart forgets neither.
CREATE TABLE topic_looks (
    topic text NOT NULL,
    partition int NOT NULL,
    read_to bigint NOT NULL,
    end_offset bigint NOT NULL,
    looked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (topic, partition)
);

CREATE TABLE lost_records (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    partition int NOT NULL,
    first_offset bigint NOT NULL,
    end_offset bigint NOT NULL,
    cause text NOT NULL,
    found_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    acknowledged_at timestamptz,
    acknowledged_reason text
);

GRANT SELECT, INSERT, UPDATE ON topic_looks TO assistant_api_service;
GRANT SELECT, INSERT, UPDATE ON lost_records TO assistant_api_service;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
