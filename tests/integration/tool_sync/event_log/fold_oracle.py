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
        self.system_tools = self.fleet.system_tools
        self.org_tools: dict[tuple[UUID, str], Row] = {}
        self.assistants: dict[tuple[UUID, str], Row] = {}
        self.pending_syncs: dict[tuple[UUID, str], Row] = {}
        self.org_tool_settings: dict[tuple[UUID, str], Row] = {}
        self.tool_refusals: dict[tuple[UUID, str], Row] = {}

    def fold(self, stored: StoredEvent) -> None:
        """Applies the next event of the log."""
        if stored.org_id is not None:
            self._organization(stored, stored.org_id)
            self._tool(stored, stored.org_id)
            self._assistant(stored, stored.org_id)
            self._pending(stored, stored.org_id)
            self._setting(stored, stored.org_id)
            self._refusal(stored, stored.org_id)
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
            new = {"id": stored.position, "created_at": stored.recorded_at, "rollout_id": None}
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
            case (
                e.OrgTierChanged() | e.ToolSettingChanged() | e.RetryRequested() | e.AssistantRemoved() | e.OrgClosed()
                | e.ToolSettingRemoved() | e.ToolOrdered()
            ):  # fmt: skip
                merge("", requested=position)
            case e.ToolVanished() | e.SurplusFound() | e.TrafficSplitSeen() | e.ToolDriftSeen():
                merge("", requested=position)
            case e.AssistantDriftSeen():
                merge("", requested=position)
            case e.AssistantSynced() | e.AssistantSyncFailed():
                merge(stored.event.agent_id or "?", settled=stored.event.settled_through)
            case e.OrgSettled():
                merge("", settled=stored.event.settled_through)

    def _setting(self, stored: StoredEvent, org_id: UUID) -> None:
        if isinstance(event := stored.event, e.ToolSettingChanged | e.ToolSettingRemoved):
            self.org_tool_settings[org_id, event.name] = {
                "org_id": org_id,
                "tool_name": event.name,
                "enabled": event.enabled if isinstance(event, e.ToolSettingChanged) else None,
                "custom_config": {},
                "changed_at": stored.recorded_at,
                "actor": stored.meta.actor,
                "reason": event.reason,
                "position": stored.position,
            }


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
