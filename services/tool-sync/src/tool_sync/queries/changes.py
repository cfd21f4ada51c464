"""What changed for an org's tools, newest first: settings, and what became of each tool at Vapi."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args
from uuid import UUID

import asyncpg

from tool_sync.db import Connection
from tool_sync.domain.telling import RETIRED_BY
from tool_sync.queries.organizations import is_known
from tool_sync.queries.plain_words import because
from tool_sync.queries.tool_settings import who
from zerotouch_platform.traceparent import trace_id_of

NEWS_ORGS_MAX: Final = 500

ChangeKind = Literal[
    "switched_on", "switched_off", "setting_removed", "pinned", "unpinned", "pin_expired", "registered", "updated",
    "retired", "reinstated", "deleted", "vanished", "changed_at_vapi", "deleted_at_vapi", "as_registered_again",
    "customized", "words_lost",
]  # fmt: skip
_KINDS: Final[dict[str, ChangeKind]] = {
    "ToolSettingRemoved": "setting_removed",
    "ToolPinned": "pinned",
    "ToolUnpinned": "unpinned",
    "ToolPinExpired": "pin_expired",
    "ToolRegistered": "registered",
    "ToolUpdated": "updated",
    "ToolRetired": "retired",
    "ToolReinstated": "reinstated",
    "ToolDeleted": "deleted",
    "ToolVanished": "vanished",
    "ToolDriftEnded": "as_registered_again",
    "ToolTextLost": "words_lost",
}

_SAID: Final = ("ToolSettingChanged", "ToolSettingRemoved", "ToolCustomized", "ToolPinned", "ToolUnpinned")

# The types are those of the index events_tool_changes_and_words, written out, as PostgreSQL would not find it for a
# parameter.
_TYPES: Final = """(
    'ToolSettingChanged', 'ToolSettingRemoved', 'ToolRegistered', 'ToolUpdated', 'ToolRetired', 'ToolReinstated',
    'ToolDeleted', 'ToolVanished', 'ToolPinned', 'ToolUnpinned', 'ToolPinExpired', 'ToolDriftSeen', 'ToolDriftEnded',
    'ToolCustomized', 'ToolTextLost')"""
# The version before is looked up among all of the org's changes, so the page is cut from the numbered whole. The end of
# a pin that another one had replaced by then, or that was taken back, changed nothing.
_CHANGES: Final = f"""
SELECT * FROM (
    SELECT position, recorded_at AS at, type, data ->> 'name' AS tool, data ->> 'reason' AS reason,
           (data ->> 'enabled')::boolean AS enabled,
           coalesce(data ->> 'definition_version', data ->> 'version')::int AS version,
           (data ->> 'until')::timestamptz AS until,
           coalesce((data ->> 'version_before')::int, lag((data ->> 'definition_version')::int) OVER (
               PARTITION BY data ->> 'name', data ->> 'definition_version' IS NULL ORDER BY position))
             AS version_before,
           (data ->> 'gone')::boolean AS gone, data -> 'differs' AS differs, data ->> 'cause' AS cause,
           nullif(data ->> 'note', '') AS note, data ->> 'order' AS rollout,
           meta ->> 'actor' AS actor, meta ->> 'traceparent' AS traceparent
      FROM events e
     WHERE org_id = $1 AND type IN {_TYPES}
       AND (type <> 'ToolPinExpired' OR NOT EXISTS (
               SELECT FROM events n
                WHERE n.org_id = $1 AND n.type IN ('ToolPinned', 'ToolUnpinned')
                  AND n.data ->> 'name' = e.data ->> 'name' AND n.position < e.position
                  AND n.position > (e.data ->> 'pinned_at')::bigint))
) changes
 WHERE position < $2
 ORDER BY position DESC
 LIMIT $3
"""  # noqa: S608 - constants
_NEWS: Final = f"""
SELECT n.org_id FROM notice_endpoints n
 WHERE EXISTS (
       SELECT FROM events e WHERE e.org_id = n.org_id AND e.position > n.told_position AND e.type IN {_TYPES})
 ORDER BY n.org_id LIMIT $1
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class ToolChange:
    """One change. ``by`` says who set it, and is null for what tool-sync did.

    ``version`` is the definition's that the tool has since; ``version_before`` is the one that an update replaced, and
    null elsewhere. Of a pin it is the version at which the clinic stays, ``until`` then. ``rollout``: the order that
    gave it, or took it away; null where none did. ``reason``: of a setting or a pin the setter's words, of a retired
    tool ``tier``, ``setting``, ``unused``, ``closed``, ``order`` or ``halted``. ``cause`` and ``note`` are those of the
    message on the fleet's topic; null where there is none. ``differs``: the parts of the tool that somebody changed at
    Vapi, where it says which.
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
    until: datetime | None = None
    cause: str | None = None
    note: str | None = None
    differs: tuple[str, ...] = ()


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


async def orgs_with_news(connection: Connection) -> list[UUID]:
    """At most 500 clinics that want notices and have a change that they were not told; the others at the next look."""
    return [row["org_id"] for row in await connection.fetch(_NEWS, NEWS_ORGS_MAX)]


def _kind(row: asyncpg.Record) -> ChangeKind:
    if row["type"] == "ToolDriftSeen":
        return "deleted_at_vapi" if row["gone"] else "changed_at_vapi"
    if row["type"] == "ToolCustomized" and row["enabled"]:
        return "customized"
    return _KINDS.get(row["type"]) or ("switched_on" if row["enabled"] else "switched_off")


def _change(row: asyncpg.Record) -> ToolChange:
    is_set = row["type"] in _SAID
    as_read = {name: row[name] for name in ("position", "at", "tool", "version", "reason", "rollout", "until", "note")}
    return ToolChange(
        **as_read,
        kind=_kind(row),
        by=who(row["actor"] or "") if is_set else None,
        version_before=row["version_before"] if row["type"] == "ToolUpdated" else None,
        trace_id=trace_id_of(row["traceparent"]),
        cause=RETIRED_BY.get(row["reason"], row["reason"]) if row["type"] == "ToolRetired" else row["cause"],
        differs=tuple(row["differs"] or ()),
    )


_SENTENCES: Final[Mapping[ChangeKind, str]] = {
    "switched_on": "was switched on{by}{why}",
    "switched_off": "was switched off{by}{why}",
    "setting_removed": "is as the blueprint says again; its setting was taken back{by}{why}",
    "customized": "got words of the clinic's own{by}{why}",
    "words_lost": "has lost words of the clinic's own, which have to be set again",
    "pinned": "stays at {version}{until}{by}{why}",
    "unpinned": "does not stay at one version any more{by}{why}",
    "pin_expired": "does not stay at one version any more, as its time is over",
    "registered": "came to Vapi in {version}{note}",
    "updated": "was changed{before} to {version}{note}",
    "retired": "was taken from the assistants",
    "reinstated": "was given back to the assistants",
    "deleted": "was deleted at Vapi",
    "vanished": "was not at Vapi any more: somebody had deleted it there",
    "changed_at_vapi": "was changed at Vapi by somebody else{parts}",
    "deleted_at_vapi": "was deleted at Vapi by somebody else",
    "as_registered_again": "is at Vapi as it should be again",
}
assert _SENTENCES.keys() == {*get_args(ChangeKind)}, "every kind has its words"


def said(change: ToolChange) -> str:
    """The change as a sentence without its subject, the tool: what happened, by whom and why."""
    return _SENTENCES[change.kind].format(
        by="" if change.by is None else f" by {change.by}",
        why="" if change.by is None else because(change.reason),
        version="" if change.version is None else f"version {change.version}",
        before="" if change.version_before is None else f" from version {change.version_before}",
        until="" if change.until is None else f" until {change.until:%Y-%m-%d %H:%M} UTC",
        note=because(change.note),
        parts=f" ({', '.join(change.differs)})" if change.differs else "",
    )
