-- migrate:up

CREATE INDEX saves_in_order ON saves (created_at, request_id);

-- migrate:down

DROP INDEX saves_in_order;
