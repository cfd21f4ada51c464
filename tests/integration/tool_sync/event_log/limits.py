"""A migrated database of its own for each test: the process's pool, a running log, connections of other roles."""

from tool_sync.log import LogSettings

LIMITS = LogSettings(append_seconds_max=10.0, retry_seconds=0.05)
