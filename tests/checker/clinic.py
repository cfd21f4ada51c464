"""A clinic, as far as orders ask about it, by the events of its own two streams."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from tests.checker import hours
from tests.checker.history import Event

TIERS: Final = ("basic", "professional", "enterprise")
FOR_GOOD: Final = ("order", "closed", "unused")
"""Why a tool goes that the clinic does not wait to have again."""


@dataclass(frozen=True, slots=True)
class Pin:
    """The clinic stays at this definition until a time. ``position``: that of the event that made it."""

    hash: str
    until: datetime
    position: int


@dataclass(frozen=True, slots=True)
class Clinic:
    """What of a clinic a decision looks at. ``since``: the time of its first event, as text.

    ``window``: from when to when orders may change it, by the clock of ``zone``. What follows it matters while that is
    closed: ``kept``, by tool the hash of what it had last, unless an order took it; ``kept_since``, the position since
    which there is any; ``told``, by tool the order that all of its assistants were told, and where.
    """

    org: str
    since: str
    tier: str = "basic"
    closed: bool = False
    off: frozenset[str] = frozenset()
    follows: frozenset[tuple[str, str]] = frozenset()
    pins: Mapping[str, Pin] = field(default_factory=dict)
    window: tuple[str, str] | None = None
    zone: str = hours.ZONE
    kept: Mapping[str, str] = field(default_factory=dict)
    kept_since: int | None = None
    chosen_at: Mapping[str, int] = field(default_factory=dict)
    tier_at: int = 0
    told: Mapping[str, tuple[str | None, int]] = field(default_factory=dict)

    def is_shut(self, at: datetime) -> bool:
        """Whether it has a change window, and that is closed."""
        return self.window is not None and hours.is_shut(*self.window, self.zone, at)

    def settled_at(self, tool: str) -> int:
        """Since which position it has tools, its tier and its own wish about this one."""
        return max(self.kept_since or 0, self.tier_at, self.chosen_at.get(tool, 0))

    def was_told(self, tool: str, order: str | None) -> bool:
        """Whether its assistants are on the way to what this order says."""
        return tool in self.told and self.told[tool][0] == order

    def after(self, event: Event) -> "Clinic":
        """After an event of its own; an equal one where nothing of it changes."""
        data = event.data
        match event.type:
            case "OrgRegistered":
                now = replace(self, window=None, tier_at=event.position) if self.closed else self
                return replace(now, tier=data["tier"], closed=False, zone=data.get("time_zone") or hours.ZONE)
            case "OrgTierChanged":
                tier_at = self.tier_at if data["tier"] == self.tier else event.position
                return replace(self, tier=data["tier"], zone=data.get("time_zone") or self.zone, tier_at=tier_at)
            case "OrgClosed":
                return replace(self, closed=True, pins={})
            case "ToolSettingChanged" | "ToolSettingRemoved":
                is_off = event.type == "ToolSettingChanged" and not data["enabled"]
                off = self.off | {data["name"]} if is_off else self.off - {data["name"]}
                return replace(self, off=off, chosen_at={**self.chosen_at, data["name"]: event.position})
            case "ChangeWindowSet":
                return replace(self, window=(data["opens"], data["closes"]))
            case "ChangeWindowRemoved":
                return replace(self, window=None)
            case "ToolOrdered" if not data.get("halt"):
                return replace(self, told={**self.told, data["name"]: (data.get("order"), event.position)})
            case "OrgSettled":
                through = data["settled_through"]
                return replace(self, told={name: one for name, one in self.told.items() if one[1] > through})
            case "ToolPinned" | "ToolUnpinned" | "ToolPinExpired":
                return self._pinned(event)
            case "ToolRegistered" | "ToolUpdated" | "ToolReinstated" | "ToolRetired":
                return self._with_tool(event)
        return self

    def _pinned(self, event: Event) -> "Clinic":
        name, data = event.data["name"], event.data
        pins = {tool: pin for tool, pin in self.pins.items() if tool != name}
        if event.type == "ToolPinned":
            until = datetime.fromisoformat(data["until"])
            return replace(self, pins={**pins, name: Pin(str(data.get("definition_hash")), until, event.position)})
        before = self.pins.get(name)
        if event.type == "ToolPinExpired" and before is not None and before.position != data["pinned_at"]:
            return self  # another pin was made meanwhile
        return replace(self, pins=pins)

    def _with_tool(self, event: Event) -> "Clinic":
        name, data = event.data["name"], event.data
        kept = {tool: known for tool, known in self.kept.items() if tool != name}
        if event.type != "ToolRetired":
            kept[name] = str(data.get("definition_hash"))
        elif data["reason"] not in FOR_GOOD and name in self.kept:
            kept[name] = self.kept[name]
        since = event.position if self.kept_since is None else self.kept_since
        follows = self.follows
        if event.type != "ToolReinstated" and data.get("order") is not None:
            follows |= {(name, data["order"])}
        told = {tool: one for tool, one in self.told.items() if tool != name}
        return replace(self, kept=kept, kept_since=since if kept else None, follows=follows, told=told)
