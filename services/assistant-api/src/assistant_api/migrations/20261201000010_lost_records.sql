-- migrate:up

-- How far a topic was seen, and what was lost of it until somebody has acknowledged that: a restart forgets neither.
CREATE TABLE topic_looks (
    topic text NOT NULL,
    partition int NOT NULL,
    read_to bigint NOT NULL,
    end_offset bigint NOT NULL,
    group_id text,  -- whose look it was: a group with another name reads from the beginning, and has forgotten nothing
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

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
