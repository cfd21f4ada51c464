"""What clinics and operators set for one tool of an org."""

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from tool_sync.db import Connection, Pool
from tool_sync.domain.events import ToolCustomized, ToolSettingChanged, ToolSettingRemoved
from tool_sync.domain.tool_setting import (
    OrgIsClosed,
    SettingBasis,
    SettingEvent,
    SettingRefusal,
    SettingWish,
    decide_setting,
)
from tool_sync.intake.wishes import AlreadySo, Wisher, WishStored, make_true
from tool_sync.log import EventLog, org_stream
from tool_sync.log.head import stream_version
from tool_sync.publishing.overlay import Texts, overlay_of_json
from zerotouch_contracts.canonical import canonical_json

SOURCE: Final = "/zerotouch/tool-sync/settings"

_BASIS: Final = """
SELECT o.id IS NOT NULL AS is_known, coalesce(o.closed, false) AS is_closed,
       array(SELECT name FROM system_tools ORDER BY name) AS tools,
       s.enabled, s.reason, coalesce(s.position, 0) AS position, words.custom, words.is_lossy
  FROM (SELECT $1::uuid AS org_id) asked
  LEFT JOIN organizations o ON o.id = asked.org_id
  LEFT JOIN org_tool_settings s ON s.org_id = asked.org_id AND s.tool_name = $2
 CROSS JOIN LATERAL (
       SELECT coalesce(jsonb_agg(w.value || jsonb_build_object('part', w.key) ORDER BY w.key COLLATE "C")
                           FILTER (WHERE w.is_there), '[]') AS custom,
              coalesce(bool_or(NOT w.is_there), false) AS is_lossy
         FROM (SELECT c.key, c.value, NOT c.value ? 'lost' AND x.hash IS NOT NULL AS is_there
                 FROM jsonb_each(s.custom_config) c
                 LEFT JOIN org_tool_texts x ON x.org_id = asked.org_id AND x.hash = c.value ->> 'hash') w) words
"""
_KEEP: Final = "SELECT keep_tool_texts($1, $2::text[], $3::text[])"


KeepTexts = Callable[[], Awaitable[bool]]
ReadBasis = Callable[[], Awaitable[tuple[int, SettingBasis]]]


async def setting_basis(connection: Connection, org_id: UUID, tool: str) -> tuple[int, SettingBasis]:
    """The version of the org's stream, and what a wish about the tool is decided on, which is as new or newer."""
    version = await stream_version(connection, org_stream(org_id))
    row = await connection.fetchrow(_BASIS, org_id, tool)
    assert row is not None
    return version, SettingBasis(
        **{**dict(row), "tools": tuple(row["tools"]), "custom": overlay_of_json(row["custom"])}
    )


async def keep_texts(pool: Pool, org_id: UUID, texts: Texts) -> bool:
    """Store the texts by their hashes, under the service's own rights; False for an org that was deleted.

    Storing them again changes nothing. Where no event follows, as somebody was first, they stay until the org goes.
    """
    documents = [canonical_json(text).decode() for text in texts.values()]
    return bool(await pool.fetchval(_KEEP, org_id, list(texts), documents))


async def set_tool(
    log: EventLog,
    read: ReadBasis,
    org_id: UUID,
    tool: str,
    wish: SettingWish,
    wisher: Wisher,
    keep: KeepTexts | None = None,
) -> WishStored[SettingEvent] | AlreadySo | SettingRefusal:
    """Make the wish true, once. ``keep`` stores the texts of its words, before the event that names them.

    ``read`` answers :func:`setting_basis`, under the rights of whoever asks.

    Raises what :func:`~tool_sync.intake.wishes.make_true` does.
    """

    async def decide() -> tuple[int, SettingEvent | SettingRefusal | None]:
        version, basis = await read()
        event = decide_setting(basis, tool, wish)
        if isinstance(event, ToolCustomized) and keep is not None and not await keep():
            return version, OrgIsClosed()
        return version, event

    kinds = (ToolSettingChanged, ToolSettingRemoved, ToolCustomized)
    return await make_true(log, org_id, decide, kinds, source=SOURCE, wisher=wisher)
