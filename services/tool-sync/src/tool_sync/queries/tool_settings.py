"""What is set for an org's tools now, or was at a time: by whom, when and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

import asyncpg

from tool_sync.db import Connection
from tool_sync.publishing.custom_config import config_of
from tool_sync.queries.plain_words import because
from zerotouch_platform.times import utc

_NOW: Final = """
SELECT tool_name, enabled, changed_at, actor, reason, position,
       (SELECT coalesce(jsonb_object_agg(c.key, x.text), '{}') FROM jsonb_each(s.custom_config) c
          JOIN org_tool_texts x ON x.org_id = s.org_id AND x.hash = c.value ->> 'hash'
         WHERE NOT c.value ? 'lost') AS words,
       array(SELECT c.key FROM jsonb_each(s.custom_config) c
              WHERE c.value ? 'lost' OR NOT EXISTS (SELECT FROM org_tool_texts x WHERE x.org_id = s.org_id
                                                       AND x.hash = c.value ->> 'hash') ORDER BY c.key) AS lost
  FROM org_tool_settings s WHERE org_id = $1 AND tool_name = $2
"""

# What `fold_org_tool_settings` would have made of the org's events up to a position; a test holds the two together.
_AT: Final = """
SELECT DISTINCT ON (data ->> 'name')
       data ->> 'name' AS tool_name, (data ->> 'enabled')::boolean AS enabled,
       recorded_at AS changed_at, coalesce(meta ->> 'actor', '') AS actor, data ->> 'reason' AS reason, position,
       (SELECT coalesce(jsonb_object_agg(p ->> 'part', x.text), '{}') FROM jsonb_array_elements(data -> 'parts') p
          JOIN org_tool_texts x ON x.org_id = $1 AND x.hash = p ->> 'hash') AS words,
       array(SELECT p ->> 'part' FROM jsonb_array_elements(data -> 'parts') p
              WHERE NOT EXISTS (SELECT FROM org_tool_texts x WHERE x.org_id = $1 AND x.hash = p ->> 'hash')
              ORDER BY 1) AS lost
  FROM events
 WHERE org_id = $1 AND position <= $2 AND type IN ('ToolSettingChanged', 'ToolSettingRemoved', 'ToolCustomized')
 ORDER BY data ->> 'name', position DESC
"""

_ROLES: Final = MappingProxyType({"org": "the clinic", "platform": "the platform", "operator": "an operator"})


@dataclass(frozen=True, slots=True)
class ToolSetting:
    """A row of ``org_tool_settings``. ``enabled`` null: the setting was taken back, by this actor for this reason.

    ``position`` is that of the event that made it. ``custom_config``: the clinic's own words; ``lost``: parts whose
    texts are not stored any more.
    """

    tool_name: str
    enabled: bool | None
    custom_config: Mapping[str, Any]
    changed_at: datetime
    actor: str
    reason: str | None
    position: int
    lost: tuple[str, ...] = ()


async def setting_of(connection: Connection, org_id: UUID, tool: str) -> ToolSetting | None:
    """What is set for one of the org's tools; None where nothing ever was."""
    row = await connection.fetchrow(_NOW, org_id, tool)
    return None if row is None else _setting(row)


async def settings_at(connection: Connection, org_id: UUID, position: int) -> tuple[ToolSetting, ...]:
    """What was set when the log stood at a position, by name."""
    return tuple(_setting(row) for row in await connection.fetch(_AT, org_id, position))


def _setting(row: asyncpg.Record) -> ToolSetting:
    columns = dict(row)
    words = config_of(columns.pop("words"))
    return ToolSetting(**columns | {"custom_config": words, "lost": tuple(row["lost"])})


def who(actor: str) -> str:
    """An event's actor for people: ``org:<sub>`` and ``platform:<sub>`` are callers of HTTP, by their token's subject.

    ``operator:<login>`` gave a command; in old events without a login. Other actors are programs.
    """
    role, _, subject = actor.partition(":")
    if role in _ROLES and subject:
        return f"{_ROLES[role]} ({subject})"
    return "an operator" if actor == "operator" else actor or "somebody"


def said(setting: ToolSetting) -> str:
    """The setting as part of a sentence: what was set, by whom, when and why."""
    what = {True: "switched on", False: "switched off", None: "setting taken back"}[setting.enabled]
    what += " with words of the clinic's own" if setting.custom_config or setting.lost else ""
    return f"{what} by {who(setting.actor)} at {utc(setting.changed_at)}{because(setting.reason)}"
