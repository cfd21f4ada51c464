"""What changed for an org's tools, newest first: settings, and what became of each tool at Vapi."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import asyncpg

from tool_sync.db import Connection
from tool_sync.queries.organizations import is_known
from tool_sync.queries.tool_settings import who
from zerotouch_platform.traceparent import trace_id_of

ChangeKind = Literal[
    "switched_on", "switched_off", "setting_removed", "registered", "updated", "retired", "reinstated", "deleted",
    "vanished",
]  # fmt: skip
_KINDS: Final[dict[str, ChangeKind]] = {
    "ToolSettingRemoved": "setting_removed",
    "ToolRegistered": "registered",
    "ToolUpdated": "updated",
    "ToolRetired": "retired",
    "ToolReinstated": "reinstated",
    "ToolDeleted": "deleted",
    "ToolVanished": "vanished",
}

# The types are those of the index events_tool_changes, written out, as PostgreSQL would not find it for a parameter.
# The version before is looked up among all of the org's changes, so the page is cut from the numbered whole.
_CHANGES: Final = """
SELECT * FROM (
    SELECT position, recorded_at, type, data ->> 'name' AS tool, data ->> 'reason' AS reason,
           (data ->> 'enabled')::boolean AS enabled, (data ->> 'definition_version')::int AS version,
           lag((data ->> 'definition_version')::int) OVER (
               PARTITION BY data ->> 'name', data ->> 'definition_version' IS NULL ORDER BY position) AS version_before,
           data ->> 'order' AS rollout, meta ->> 'actor' AS actor, meta ->> 'traceparent' AS traceparent
      FROM events
     WHERE org_id = $1
       AND type IN ('ToolSettingChanged', 'ToolSettingRemoved', 'ToolRegistered', 'ToolUpdated', 'ToolRetired',
                    'ToolReinstated', 'ToolDeleted', 'ToolVanished')
) changes
 WHERE position < $2
 ORDER BY position DESC
 LIMIT $3
"""


@dataclass(frozen=True, slots=True)
class ToolChange:
    """One change. ``by`` says who set it, and is null for what tool-sync did.

    ``version`` is the definition's that the tool has since; ``version_before`` is the one that an update replaced, and
    null elsewhere. ``rollout``: the order that gave it, or took it away; null where none did. ``reason``: of a setting
    the setter's words, of a retired tool ``tier``, ``setting``, ``unused``, ``closed``, ``order`` or ``halted``.
    """

    position: int
    at: datetime
    tool: str
    kind: ChangeKind
    by: str | None
    version: int | None
    version_before: int | None
    reason: str | None
    rollout: str | None
    trace_id: str | None


@dataclass(frozen=True, slots=True)
class ToolChanges:
    """Changes, newest first. ``next_before`` asks for the next page; null where this is the last."""

    changes: tuple[ToolChange, ...]
    next_before: int | None


async def changes_of(connection: Connection, org_id: UUID, *, before: int, limit: int) -> ToolChanges | None:
    """The org's changes below position ``before``; None where the org is not known (to this role)."""
    rows = await connection.fetch(_CHANGES, org_id, before, limit + 1)
    if not rows and not await is_known(connection, org_id):
        return None
    changes = tuple(_change(row) for row in rows[:limit])
    return ToolChanges(changes, changes[-1].position if len(rows) > limit else None)


def _change(row: asyncpg.Record) -> ToolChange:
    is_setting = row["type"] in ("ToolSettingChanged", "ToolSettingRemoved")
    return ToolChange(
        position=row["position"],
        at=row["recorded_at"],
        tool=row["tool"],
        kind=_KINDS.get(row["type"]) or ("switched_on" if row["enabled"] else "switched_off"),
        by=who(row["actor"] or "") if is_setting else None,
        version=row["version"],
        version_before=row["version_before"] if row["type"] == "ToolUpdated" else None,
        reason=row["reason"],
        rollout=row["rollout"],
        trace_id=trace_id_of(row["traceparent"]),
    )
