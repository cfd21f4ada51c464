-- migrate:up

-- Why an assistant has no tools and is to have none: a code of the catalogue, as tool-sync says it.
ALTER TABLE outcomes ADD COLUMN reason text;

-- An agent that is made anew under an old id has no outcome yet. The row stays: its sequence keeps off older repeats.
CREATE FUNCTION agents_forget_outcome() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE outcomes SET assistant_id = NULL, revision = NULL WHERE org_id = OLD.org_id AND agent_id = OLD.id;
    RETURN NULL;
END $$;
CREATE TRIGGER agents_forget_outcome AFTER DELETE ON agents
    FOR EACH ROW EXECUTE FUNCTION agents_forget_outcome();

-- Since when the key has its trouble, however often the pause was renewed.
ALTER TABLE vapi_keys ADD COLUMN since timestamptz NOT NULL DEFAULT now();
CREATE FUNCTION vapi_keys_since() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.reason <> OLD.reason OR (NOT OLD.on_trial AND OLD.paused_until < now()) THEN
        NEW.since := now();
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER vapi_keys_since BEFORE UPDATE ON vapi_keys FOR EACH ROW EXECUTE FUNCTION vapi_keys_since();

-- migrate:down

DROP TRIGGER vapi_keys_since ON vapi_keys;
DROP FUNCTION vapi_keys_since;
ALTER TABLE vapi_keys DROP COLUMN since;
DROP TRIGGER agents_forget_outcome ON agents;
DROP FUNCTION agents_forget_outcome;
ALTER TABLE outcomes DROP COLUMN reason;
