"""What clinics and operators set for one tool of an org: read, decide, append, on the org's stream as it stands.

The append names the version of the stream that was read before. Whatever came between (another setting, a deletion of
the org) makes it a conflict, and the wish is decided anew: also for a process that slept between read and append. One
that dies before the append has changed nothing; after it, the same wish finds itself fulfilled and writes nothing.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from tool_sync.db import Connection
from tool_sync.domain.events import ToolSettingChanged, ToolSettingRemoved
from tool_sync.domain.tool_setting import SettingBasis, SettingRefusal, SettingWish, decide_setting
from tool_sync.log import Conflict, EventLog, fact, org_stream
from tool_sync.log.head import stream_version

SOURCE: Final = "/zerotouch/tool-sync/settings"
TRIES_MAX: Final = 20
"""Each conflict means that the org's stream grew within milliseconds; so many in a row are a fault elsewhere."""

_BASIS: Final = """
SELECT o.id IS NOT NULL AS is_known, coalesce(o.closed, false) AS is_closed,
       array(SELECT name FROM system_tools ORDER BY name) AS tools,
       s.enabled, s.reason, coalesce(s.position, 0) AS position
  FROM (SELECT $1::uuid AS org_id) asked
  LEFT JOIN organizations o ON o.id = asked.org_id
  LEFT JOIN org_tool_settings s ON s.org_id = asked.org_id AND s.tool_name = $2
"""


@dataclass(eq=False)
class SettingContended(Exception):
    """The org's stream grew at every try; nothing was stored."""

    org_id: UUID

    def __str__(self) -> str:
        return f"org-{self.org_id}: {TRIES_MAX} conflicts in a row; try again"


@dataclass(frozen=True, slots=True)
class SettingWritten:
    """Stored just now: the event with its place, and who made it."""

    event: ToolSettingChanged | ToolSettingRemoved
    position: int
    recorded_at: datetime
    actor: str


@dataclass(frozen=True, slots=True)
class AlreadySo:
    """The setting was as wished: nothing was written."""


@dataclass(frozen=True, slots=True)
class Wisher:
    """Who asks, for the event's meta. ``actor``: see :func:`tool_sync.queries.tool_settings.who`."""

    actor: str
    service_version: str
    traceparent: str | None = None


ReadBasis = Callable[[], Awaitable[tuple[int, SettingBasis]]]


async def setting_basis(connection: Connection, org_id: UUID, tool: str) -> tuple[int, SettingBasis]:
    """The version of the org's stream, and what a wish about the tool is decided on, which is as new or newer."""
    version = await stream_version(connection, org_stream(org_id))
    row = await connection.fetchrow(_BASIS, org_id, tool)
    assert row is not None
    return version, SettingBasis(**{**dict(row), "tools": tuple(row["tools"])})


async def set_tool(
    log: EventLog, read: ReadBasis, org_id: UUID, tool: str, wish: SettingWish, wisher: Wisher
) -> SettingWritten | AlreadySo | SettingRefusal:
    """Make the wish true, once. ``read`` answers :func:`setting_basis`, under the rights of whoever asks.

    Raises `LogUnavailable` (stored or not: the same wish may be sent again), `AppendRejected`, `SettingContended`.
    """
    stream = org_stream(org_id)
    for _ in range(TRIES_MAX):
        version, basis = await read()
        event = decide_setting(basis, tool, wish)
        if event is None:
            return AlreadySo()
        if not isinstance(event, ToolSettingChanged | ToolSettingRemoved):
            return event
        request = fact(
            stream,
            org_id,
            event,
            source=SOURCE,
            cause=str(uuid4()),
            actor=wisher.actor,
            service_version=wisher.service_version,
            traceparent=wisher.traceparent,
        )
        result = await log.append(replace(request, expected_version=version))
        if not isinstance(result, Conflict):
            # A duplicate is this very append, whose first answer was lost.
            return SettingWritten(event, result.first_position, result.recorded_at, wisher.actor)
    raise SettingContended(org_id)
