"""The database's promises in memory: `append` with its ids, versions and positions, the projections, and the leases.

What the SQL does is proved elsewhere, against an oracle (`tests/integration/tool_sync/event_log`). Here it is assumed,
as one step that nothing can interrupt.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tool_sync.domain import events as e
from tool_sync.domain.assistants import evolve_assistant
from tool_sync.domain.toolset import Assistant
from tool_sync.log import Appended, AppendRequest, AppendResult, Conflict, Duplicate, Snapshot, StoredEvent
from tool_sync.log.fork import LostTool

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
SAVED_MAX = 8

ORG_WIDE = (
    e.OrgTierChanged | e.ToolSettingChanged | e.ToolSettingRemoved | e.ToolCustomized | e.ToolPinned | e.ToolUnpinned
    | e.ChangeWindowSet | e.ChangeWindowRemoved | e.ToolOrdered | e.RetryRequested
    | e.AssistantRemoved | e.OrgClosed | e.ToolVanished | e.SurplusFound | e.TrafficSplitSeen | e.AssistantDriftSeen
    | e.ToolDriftSeen
)  # fmt: skip
NO_ROW = e.AssistantLinkStarted | e.RetryRequested | e.TrafficSplitSeen | e.AssistantDriftSeen


@dataclass(slots=True)
class Pending:
    """A row of ``pending_syncs``."""

    requested: int = 0
    settled: int = 0
    save_requested: int = 0


@dataclass(slots=True)
class Lease:
    """A row of ``leases``; times are virtual seconds. ``holder`` is the process that claimed it."""

    token: UUID | None = None
    until: float | None = None
    holder: object = None
    processed_position: int = 0
    next_due: float | None = None
    dirty_position: int = 0


@dataclass(slots=True)
class Database:
    """One log and everything folded from it."""

    events: list[StoredEvent] = field(default_factory=list)
    by_org: dict[UUID, list[StoredEvent]] = field(default_factory=dict)
    fleet: list[StoredEvent] = field(default_factory=list)
    """What was published and ordered: the events of no org."""
    ids: dict[UUID, StoredEvent] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    snapshots: dict[tuple[UUID, int], Snapshot] = field(default_factory=dict)
    assistants: dict[UUID, dict[str, Assistant]] = field(default_factory=dict)
    removed_at: dict[tuple[UUID, str], int | None] = field(default_factory=dict)
    """The newest revision of an agent when it was removed."""
    pending: dict[UUID, dict[str, Pending]] = field(default_factory=dict)
    leases: dict[UUID, Lease] = field(default_factory=dict)
    lost_tools: list[LostTool] = field(default_factory=list)
    """What the fork of a restored log has listed, at ``forked_at``."""
    forked_at: float = 0.0
    texts: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    """Clinics' own words, by hash."""

    def copy(self) -> "Database":
        """A backup."""
        return Database(
            events=list(self.events),
            by_org={org_id: list(events) for org_id, events in self.by_org.items()},
            fleet=list(self.fleet),
            ids=dict(self.ids),
            versions=dict(self.versions),
            snapshots=dict(self.snapshots),
            assistants={org_id: dict(rows) for org_id, rows in self.assistants.items()},
            removed_at=dict(self.removed_at),
            pending={
                org_id: {agent_id: replace(row) for agent_id, row in rows.items()}
                for org_id, rows in self.pending.items()
            },
            leases={org_id: replace(lease) for org_id, lease in self.leases.items()},
            lost_tools=list(self.lost_tools),
            texts={org_id: dict(texts) for org_id, texts in self.texts.items()},
        )

    def set_back(self, backup: "Database") -> None:
        """To the backup, which stays as it is."""
        restored = backup.copy()
        for each in fields(self):
            setattr(self, each.name, getattr(restored, each.name))

    def append(self, request: AppendRequest, now: float) -> AppendResult:
        """One request, as the SQL function treats it."""
        present = [self.ids[new.event_id] for new in request.events if new.event_id in self.ids]
        if present:
            assert len(present) == len(request.events), "stored in part"
            return Duplicate(present[0].position, present[-1].version, present[0].recorded_at)
        version = self.versions.get(request.stream, 0)
        if request.expected_version is not None and request.expected_version != version:
            return Conflict(version)
        first, at = len(self.events) + 1, time_of(now)
        for new in request.events:
            version += 1
            stored = StoredEvent(
                len(self.events) + 1, request.stream, version, new.event_id, request.org_id, new.event, request.meta, at
            )
            self.events.append(stored)
            self.ids[new.event_id] = stored
            if request.org_id is None:
                self.fleet.append(stored)
            else:
                self.by_org.setdefault(request.org_id, []).append(stored)
                self._fold(stored, request.org_id)
        self.versions[request.stream] = version
        if request.lease_token is not None and request.org_id is not None:
            self._stir(request.org_id, request.lease_token, now)
        return Appended(first, version, at)

    def _stir(self, org_id: UUID, token: UUID, now: float) -> None:
        """Written without the lease: the org is due, also where its holder gives it back without having read this."""
        lease = self.leases[org_id]
        if lease.token != token or lease.until is None or lease.until <= now:
            lease.dirty_position = len(self.events)
            lease.next_due = now if lease.next_due is None else min(lease.next_due, now)

    def _fold(self, stored: StoredEvent, org_id: UUID) -> None:
        self._fold_assistant(stored.event, org_id)
        position, event = stored.position, stored.event
        rows = self.pending.setdefault(org_id, {})
        match event:
            case e.SyncRequested(agent_id=agent_id, cause=cause):
                row = rows.setdefault(agent_id, Pending())
                row.requested = position
                row.save_requested = position if cause != "auto_sync" else row.save_requested
            case e.RequestUnreadable():
                row = rows.setdefault("?", Pending())
                row.requested = row.save_requested = position
            case e.AssistantSynced() | e.AssistantSyncFailed():
                row = rows.setdefault(event.agent_id or "?", Pending())
                row.settled = max(row.settled, event.settled_through)
            case e.OrgSettled(settled_through=through):
                row = rows.setdefault("", Pending())
                row.settled = max(row.settled, through)
            case _ if isinstance(event, ORG_WIDE):
                row = rows.setdefault("", Pending())
                row.requested = position
                if isinstance(event, e.ToolCustomized):
                    row.save_requested = position
                elif isinstance(event, e.OrgClosed):
                    self.texts.pop(org_id, None)
            case _:
                pass

    def _fold_assistant(self, event: Any, org_id: UUID) -> None:
        agent_id = getattr(event, "agent_id", None)
        if agent_id is None or isinstance(event, NO_ROW):
            return
        rows = self.assistants.setdefault(org_id, {})
        row = rows.get(agent_id)
        match event:
            case e.SyncRequested(assistant_id=assistant_id, revision=revision, model_hash=model_hash):
                row = row or Assistant(agent_id, assistant_id, revision)
                saved = (*(pair for pair in row.saved if pair != (revision, model_hash)), (revision, model_hash))
                removed = row.removed and row.assistant_id == assistant_id
                ended_at = self.removed_at.get((org_id, agent_id))
                if ended_at is not None and revision > ended_at:
                    removed = False  # made anew under its id
                row = replace(
                    row, assistant_id=assistant_id, revision=revision, saved=saved[-SAVED_MAX:], removed=removed
                )
            case e.AssistantRemoved(assistant_id=assistant_id):
                row = row or Assistant(agent_id, assistant_id or "", 0)
                if assistant_id in (None, row.assistant_id):
                    self.removed_at[org_id, agent_id] = event.revision
                row = replace(row, removed=row.removed or assistant_id in (None, row.assistant_id))
            case _:
                if row is None:
                    return
                row = evolve_assistant(row, event)
        rows[agent_id] = row

    def due(self, now: float, bulk_max: int | None = None) -> list[tuple[UUID, bool]]:
        """The orgs that may be claimed, saves first, then by age, and which are bulk work: at most ``bulk_max``."""
        standing = sorted((place, org_id) for org_id, place in self.standing(now).items())
        saves = [(org_id, False) for (is_bulk, _), org_id in standing if not is_bulk]
        bulk = [(org_id, True) for (is_bulk, _), org_id in standing if is_bulk]
        return [*saves, *bulk[:bulk_max]]

    def standing(self, now: float) -> dict[UUID, tuple[bool, int]]:
        """Where each of them stands in the queue."""
        found: dict[UUID, tuple[bool, int]] = {}
        for org_id, rows in self.pending.items():
            lease = self.leases.get(org_id)
            if lease is not None and lease.until is not None and lease.until > now:
                continue
            looked = lease.processed_position if lease is not None else 0
            mine = [row for row in rows.values() if row.requested > row.settled and row.requested > looked]
            if mine:
                found[org_id] = (
                    not any(row.save_requested > row.settled for row in mine),
                    min(row.requested for row in mine),
                )
        for org_id, lease in self.leases.items():
            if lease.next_due is not None and lease.next_due <= now and (lease.until is None or lease.until <= now):
                found.setdefault(org_id, (True, lease.processed_position))
        return found

    def is_quiet(self) -> bool:
        """No request is open."""
        return all(row.requested <= row.settled for rows in self.pending.values() for row in rows.values())


def time_of(now: float) -> datetime:
    """The database's time at a virtual second."""
    return BEGINNING + timedelta(seconds=now)


def seconds_of(at: datetime) -> float:
    """The virtual second of a database time."""
    return (at - BEGINNING).total_seconds()


def events_of(database: Database, org_id: UUID, *types: Any) -> Sequence[Any]:
    """An org's events of these types, in order."""
    return [stored.event for stored in database.by_org.get(org_id, ()) if isinstance(stored.event, types)]
