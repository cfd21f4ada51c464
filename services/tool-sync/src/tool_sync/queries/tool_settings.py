"""What is set for an org's tools now, or was at a time: by whom, when and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from tool_sync.db import Connection

_NOW: Final = """
SELECT tool_name, enabled, custom_config, changed_at, actor, reason, position
  FROM org_tool_settings WHERE org_id = $1 AND tool_name = $2
"""

# What `fold_org_tool_settings` would have made of the org's events up to a position; a test holds the two together.
_AT: Final = """
SELECT DISTINCT ON (data ->> 'name')
       data ->> 'name' AS tool_name, (data ->> 'enabled')::boolean AS enabled, '{}'::jsonb AS custom_config,
       recorded_at AS changed_at, coalesce(meta ->> 'actor', '') AS actor, data ->> 'reason' AS reason, position
  FROM events
 WHERE org_id = $1 AND position <= $2 AND type IN ('ToolSettingChanged', 'ToolSettingRemoved')
 ORDER BY data ->> 'name', position DESC
"""

_ROLES: Final = MappingProxyType({"org": "the clinic", "platform": "the platform"})


@dataclass(frozen=True, slots=True)
class ToolSetting:
    """A row of ``org_tool_settings``. ``enabled`` null: the setting was taken back, by this actor for this reason.

    ``position`` is that of the event that made it.
    """

    tool_name: str
    enabled: bool | None
    custom_config: Mapping[str, Any]
    changed_at: datetime
    actor: str
    reason: str | None
    position: int


async def setting_of(connection: Connection, org_id: UUID, tool: str) -> ToolSetting | None:
    """What is set for one of the org's tools; None where nothing ever was."""
    row = await connection.fetchrow(_NOW, org_id, tool)
    return None if row is None else ToolSetting(**dict(row))


async def settings_at(connection: Connection, org_id: UUID, position: int) -> tuple[ToolSetting, ...]:
    """What was set when the log stood at a position, by name."""
    return tuple(ToolSetting(**dict(row)) for row in await connection.fetch(_AT, org_id, position))


def who(actor: str) -> str:
    """An event's actor for people: ``org:<sub>`` and ``platform:<sub>`` are callers of HTTP, by their token's subject.

    Other actors are programs and operators at the command line, and are named as they are.
    """
    role, _, subject = actor.partition(":")
    if role in _ROLES and subject:
        return f"{_ROLES[role]} ({subject})"
    return "an operator" if actor == "operator" else actor or "somebody"


def said(setting: ToolSetting) -> str:
    """The setting as part of a sentence: what was set, by whom, when and why."""
    what = {True: "switched on", False: "switched off", None: "setting taken back"}[setting.enabled]
    why = f": {setting.reason}" if setting.reason else ""
    return f"{what} by {who(setting.actor)} at {setting.changed_at:%Y-%m-%d %H:%M:%S} UTC{why}"
