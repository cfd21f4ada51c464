-- migrate:up
-- Coverage asks which tools clinics switched off: few events of a long log.
CREATE INDEX events_tool_settings ON events (org_id, (data ->> 'name'), position DESC)
  WHERE type = 'ToolSettingChanged';

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'migrations only go forward'; END $$;
