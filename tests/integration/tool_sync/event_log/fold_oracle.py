"""The projections, folded event by event in Python from what they mean: the oracle of the SQL folds."""

from typing import Any
from uuid import UUID

from pydantic_core import from_json, to_json

from tool_sync.domain import events as e
from tool_sync.log import StoredEvent

from .fleet_oracle import FleetTables

Row = dict[str, Any]
TOOL_IS_THERE = e.ToolRegistered | e.ToolUpdated | e.ToolReinstated


class Tables:
    """Rows by key, as the tables hold them."""

    def __init__(self) -> None:
        self.organizations: dict[UUID, Row] = {}
        self.fleet = FleetTables()
        self.fleet_tools = self.fleet.fleet_tools
        self.org_tools: dict[tuple[UUID, str], Row] = {}
        self.assistants: dict[tuple[UUID, str], Row] = {}
        self.pending_syncs: dict[tuple[UUID, str], Row] = {}
        self.org_tool_settings: dict[tuple[UUID, str], Row] = {}
        self.org_change_windows: dict[UUID, Row] = {}
        self.windows_set: set[UUID] = set()
        self.zones_named: set[UUID] = set()
        self.tool_refusals: dict[tuple[UUID, str], Row] = {}
        self.org_tool_pins: dict[tuple[UUID, str], Row] = {}
        self.tool_drifts: dict[tuple[UUID, str], Row] = {}

    def fold(self, stored: StoredEvent) -> None:
        """Applies the next event of the log."""
        if stored.org_id is not None:
            self._organization(stored, stored.org_id)
            self._tool(stored, stored.org_id)
            self._assistant(stored, stored.org_id)
            self._pending(stored, stored.org_id)
            self._setting(stored, stored.org_id)
            self._window(stored, stored.org_id)
            self._refusal(stored, stored.org_id)
            self._pin(stored, stored.org_id)
            self._drift(stored, stored.org_id)
        self.fleet.fold(stored)

    def _organization(self, stored: StoredEvent, org_id: UUID) -> None:
        known = self.organizations.get(org_id)
        if known is None:
            assert stored.stream.startswith("org-")
            known = {"id": org_id, "tier": "basic", "closed": False, "created_at": stored.recorded_at}
        elif not isinstance(stored.event, e.OrgRegistered | e.OrgTierChanged | e.OrgClosed):
            return
        match stored.event:
            case e.OrgRegistered(tier):
                known |= {"tier": tier, "closed": False}
            case e.OrgTierChanged(tier):
                known["tier"] = tier
            case e.OrgClosed():
                known["closed"] = True
        self.organizations[org_id] = known | {"updated_at": stored.recorded_at, "position": stored.position}

    def _tool(self, stored: StoredEvent, org_id: UUID) -> None:
        event = stored.event
        if isinstance(event, TOOL_IS_THERE | e.ToolVanished | e.ToolRetired | e.ToolDeleted):
            new = {"id": stored.position, "created_at": stored.recorded_at, "rollout_id": None, "kept_hash": ""}
            new["overlay"] = []
            first = self.org_tools.get((org_id, event.name), new)
            self.org_tools[org_id, event.name] = {
                "id": first["id"],
                "org_id": org_id,
                "tool_name": event.name,
                "vapi_tool_id": event.vapi_tool_id,
                "enabled": isinstance(event, TOOL_IS_THERE),
                "account": event.account,
                "definition_version": event.definition_version,
                "definition_hash": event.definition_hash,
                "created_at": first["created_at"],
                "updated_at": stored.recorded_at,
                "position": stored.position,
                "rollout_id": getattr(event, "order", None) or first["rollout_id"],
                "is_retired": isinstance(event, e.ToolRetired),
                "kept_hash": _kept(event, first["kept_hash"]),
                "overlay": _plain_overlay(event, first["overlay"]),
            }

    def _refusal(self, stored: StoredEvent, org_id: UUID) -> None:
        match stored.event:
            case e.SyncAttemptFailed(retry_at=None, counted=True) as event:
                kind, _, name = event.subject.partition(":")
                code: str | None = event.code
                if kind != "tool" or event.definition_hash is None:
                    return
            case (e.ToolRegistered() | e.ToolUpdated()) as event:
                name, code = event.name, None
                if (org_id, name) not in self.tool_refusals:
                    return
            case _:
                return
        self.tool_refusals[org_id, name] = {
            "org_id": org_id,
            "tool_name": name,
            "definition_hash": event.definition_hash,
            "code": code,
            "position": stored.position,
        }

    def _drift(self, stored: StoredEvent, org_id: UUID) -> None:
        match stored.event:
            case e.ToolDriftSeen() as seen:
                row: Row = {"is_open": True, "gone": seen.gone, "differs": list(seen.differs), "found": seen.found}
            case (
                e.ToolDriftEnded(name=name)
                | e.ToolRegistered(name=name)
                | e.ToolUpdated(name=name)
                | e.ToolVanished(name=name)
            ) if (org_id, name) in self.tool_drifts:
                row = {"is_open": False, "gone": False, "differs": [], "found": None}
            case _:
                return
        event = stored.event
        self.tool_drifts[org_id, event.name] = row | {
            "org_id": org_id,
            "tool_name": event.name,
            "vapi_tool_id": event.vapi_tool_id,
            "seen_at": stored.recorded_at,
            "position": stored.position,
        }

    def _assistant(self, stored: StoredEvent, org_id: UUID) -> None:
        event = stored.event
        agent_id = getattr(event, "agent_id", None)
        if agent_id is None or isinstance(event, e.AssistantLinkStarted | e.RetryRequested | e.AssistantDriftSeen):
            return
        row = self.assistants.setdefault((org_id, agent_id), new_assistant(org_id, agent_id))
        row["position"] = stored.position
        match event:
            case e.SyncRequested():
                through = row["removed_revision"]
                anew = row["assistant_id"] != event.assistant_id or (through is not None and event.revision > through)
                row["removed"] = row["removed"] and not anew
                row["assistant_id"], row["revision"] = event.assistant_id, event.revision
                pair = [event.revision, event.model_hash]
                row["saved"] = [*(old for old in row["saved"] if old != pair), pair][-8:]
            case e.AssistantRemoved():
                row["assistant_id"] = row["assistant_id"] or event.assistant_id
                newest = (
                    event.revision is not None and row["revision"] is not None and event.revision >= row["revision"]
                )
                if newest or event.assistant_id in (None, row["assistant_id"]):
                    row |= {"removed": True, "removed_revision": event.revision}
            case e.AssistantLinked():
                row |= {"base_hash": event.base_hash, "model_hash": event.model_hash, "linked": plain(event.tools)}
                row |= {"linked_revision": event.revision, "linked_version": event.vapi_version}
            case e.AssistantSynced():
                row |= {"outcome": "synced", "code": event.reason, "look_at": None, "settled_revision": event.revision}
                row |= {"synced_tools": plain(event.tools), "settled_assistant_id": event.assistant_id}
            case e.AssistantSyncFailed():
                row |= {"outcome": "failed", "code": event.code, "look_at": event.look_at}
                row |= {"synced_tools": plain(event.tools), "settled_assistant_id": event.assistant_id}
                row["settled_revision"] = event.revision
            case e.AssistantDiverged():
                row["diverged_revision"] = event.revision
            case e.DriftDetected():
                row["drift_hash"] = event.model_hash
            case e.TrafficSplitSeen():
                row["split"] = from_json(to_json(event))
            case _:
                raise AssertionError(event)

    def _pending(self, stored: StoredEvent, org_id: UUID) -> None:
        def merge(agent_id: str, **positions: int) -> None:
            row = self.pending_syncs.setdefault(
                (org_id, agent_id),
                {"org_id": org_id, "agent_id": agent_id, "requested": 0, "settled": 0, "save_requested": 0},
            )
            row.update({name: max(row[name], position) for name, position in positions.items()})

        position = stored.position
        match stored.event:
            case e.SyncRequested(agent_id=agent_id, cause="auto_sync"):
                merge(agent_id, requested=position)
            case e.SyncRequested(agent_id=agent_id):
                merge(agent_id, requested=position, save_requested=position)
            case e.RequestUnreadable():
                merge("?", requested=position, save_requested=position)
            case e.ToolCustomized():
                merge("", requested=position, save_requested=position)
            case (
                e.OrgTierChanged() | e.ToolSettingChanged() | e.RetryRequested() | e.AssistantRemoved() | e.OrgClosed()
                | e.ToolSettingRemoved() | e.ToolOrdered() | e.ToolPinned() | e.ToolUnpinned()
            ):  # fmt: skip
                merge("", requested=position)
            case e.ToolVanished() | e.SurplusFound() | e.TrafficSplitSeen() | e.ToolDriftSeen():
                merge("", requested=position)
            case e.ChangeWindowSet() | e.ChangeWindowRemoved():
                merge("", requested=position)
            case e.AssistantDriftSeen():
                merge("", requested=position)
            case e.AssistantSynced() | e.AssistantSyncFailed():
                merge(stored.event.agent_id or "?", settled=stored.event.settled_through)
            case e.OrgSettled():
                merge("", settled=stored.event.settled_through)

    def _window(self, stored: StoredEvent, org_id: UUID) -> None:
        row = self.org_change_windows.get(org_id) or {
            "org_id": org_id, "opens": None, "closes": None, "changed_at": None, "actor": "", "reason": None,
            "position": 0, "time_zone": "UTC", "zone_position": 0,
        }  # fmt: skip
        match stored.event:
            case e.ChangeWindowSet(opens=opens, closes=closes, reason=reason):
                new = {"opens": opens, "closes": closes, "reason": reason}
            case e.ChangeWindowRemoved(reason=reason):
                new = {"opens": None, "closes": None, "reason": reason}
            case e.OrgClosed() if org_id in self.windows_set:
                new = {"opens": None, "closes": None, "reason": None}
            case (e.OrgRegistered() | e.OrgTierChanged()) as event:
                named = event.time_zone is not None
                if named or (isinstance(event, e.OrgRegistered) and org_id in self.zones_named):
                    zone = {"time_zone": event.time_zone or "UTC", "zone_position": stored.position}
                    self.org_change_windows[org_id] = {**row, **zone}
                if named:
                    self.zones_named.add(org_id)
                return
            case _:
                return
        if isinstance(stored.event, e.ChangeWindowSet):
            self.windows_set.add(org_id)
        said = {"changed_at": stored.recorded_at, "actor": stored.meta.actor, "position": stored.position}
        self.org_change_windows[org_id] = {**row, **new, **said}

    def _setting(self, stored: StoredEvent, org_id: UUID) -> None:
        event = stored.event
        if isinstance(event, e.OrgClosed):
            for (owner, _), row in self.org_tool_settings.items():
                row["custom_config"] = {} if owner == org_id else row["custom_config"]
        elif isinstance(event, e.ToolTextLost) and (org_id, event.name) in self.org_tool_settings:
            row = self.org_tool_settings[org_id, event.name]
            for part in row["custom_config"].values() if event.set_at in (None, row["position"]) else ():
                part.update({"lost": True} if part["hash"] in event.hashes else {})
        elif isinstance(event, e.ToolSettingChanged | e.ToolSettingRemoved | e.ToolCustomized):
            parts = event.parts if isinstance(event, e.ToolCustomized) else ()
            self.org_tool_settings[org_id, event.name] = {
                "org_id": org_id,
                "tool_name": event.name,
                "enabled": None if isinstance(event, e.ToolSettingRemoved) else event.enabled,
                "custom_config": {one.part: {"hash": one.hash, "characters": one.characters} for one in parts},
                "changed_at": stored.recorded_at,
                "actor": stored.meta.actor,
                "reason": event.reason,
                "position": stored.position,
            }

    def _pin(self, stored: StoredEvent, org_id: UUID) -> None:
        match stored.event:
            case e.ToolPinned(name=name) | e.ToolUnpinned(name=name):
                ended = [name]
            case e.ToolPinExpired(name=name, pinned_at=pinned_at):
                pin = self.org_tool_pins.get((org_id, name), {})
                ended = [name] if pin.get("version") and pin["position"] == pinned_at else []
            case e.OrgClosed():
                ended = [name for (org, name), pin in self.org_tool_pins.items() if org == org_id and pin["version"]]
            case _:
                return
        for name in ended:
            event = stored.event
            pinned = event if isinstance(event, e.ToolPinned) else None
            self.org_tool_pins[org_id, name] = {
                "org_id": org_id,
                "tool_name": name,
                "version": pinned and pinned.version,
                "definition_hash": pinned and pinned.definition_hash,
                "tier": pinned and pinned.tier,
                "until": pinned and pinned.until,
                "changed_at": stored.recorded_at,
                "actor": stored.meta.actor,
                "reason": event.reason if isinstance(event, e.ToolPinned | e.ToolUnpinned) else None,
                "position": stored.position,
            }


def _plain_overlay(event: Any, before: list[Row]) -> list[Row]:
    """The clinic's words that the tool has, after an event about it."""
    if not isinstance(event, e.ToolRegistered | e.ToolUpdated):
        return before
    overlay: list[Row] = from_json(to_json(event.overlay))
    return overlay


def _kept(event: Any, before: str) -> str:
    """The definition that the clinic gets back, after an event about one of its tools."""
    if isinstance(event, TOOL_IS_THERE):
        return str(event.definition_hash)
    for_good = isinstance(event, e.ToolRetired) and event.reason in ("order", "closed", "unused")
    return "" if for_good else before


def new_assistant(org_id: UUID, agent_id: str) -> Row:
    """The row before its first event."""
    empty = ("assistant_id", "revision", "base_hash", "model_hash", "linked_revision", "linked", "synced_tools",
             "outcome", "code", "look_at", "settled_revision", "settled_assistant_id", "diverged_revision",
             "drift_hash", "removed_revision", "split", "linked_version")  # fmt: skip
    return {"org_id": org_id, "agent_id": agent_id, "saved": [], "removed": False} | dict.fromkeys(empty)


def plain(tools: tuple[e.ToolRef, ...]) -> list[Row]:
    """Tools as a JSON list."""
    document: list[Row] = from_json(to_json(tools))
    return document
