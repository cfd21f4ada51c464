-- migrate:up

-- What was asked for belongs to what makes two tool calls the same (ADR 23): a hash of the tool and of the validated
-- arguments, with a key that is not in the database. '' in the rows that were there, and in those of a process of the release before.
ALTER TABLE tool_calls ADD COLUMN request text NOT NULL DEFAULT '' CHECK (request ~ '^([0-9a-f]{64})?$');
ALTER TABLE tool_calls DROP CONSTRAINT tool_calls_pkey;
ALTER TABLE tool_calls ADD PRIMARY KEY (org_id, call_id, tool_call_id, request);

-- The answer to a request that names no conversation makes place for the next one's after a minute.
GRANT UPDATE (definition_version, code, failed, answer, handled_at) ON tool_calls TO assistant_api_calendar;
GRANT SELECT (request) ON tool_calls TO assistant_api_service;

-- migrate:down

REVOKE UPDATE (definition_version, code, failed, answer, handled_at) ON tool_calls FROM assistant_api_calendar;
DELETE FROM tool_calls a USING tool_calls b
WHERE (a.org_id, a.call_id, a.tool_call_id) = (b.org_id, b.call_id, b.tool_call_id) AND a.request > b.request;
ALTER TABLE tool_calls DROP CONSTRAINT tool_calls_pkey;
ALTER TABLE tool_calls DROP COLUMN request;
ALTER TABLE tool_calls ADD PRIMARY KEY (org_id, call_id, tool_call_id);
