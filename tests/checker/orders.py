"""Who should have which version of a tool, by the events of the log alone: written anew, from the rules in words.

closed, halted, switched off: none · its pin, else the newest order that holds the clinic, else none · a tier too low:
none · a contract that is not answered: what it has · what an order brings while its change window is closed: what it
had last
"""

import copy
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Final

from tests.checker.clinic import TIERS, Clinic
from tests.checker.dump import Row
from tests.checker.history import Event

RINGS: Final = 10_000
NEW_STATE: Final = {
    "RolloutPaused": "paused",
    "RolloutResumed": "running",
    "RolloutCompleted": "completed",
    "RolloutAborted": "aborted",
    "RolloutExpired": "expired",
    "RolloutRolledBack": "rolled back",
}
WITH_TOOL: Final = ("ToolRegistered", "ToolUpdated", "ToolReinstated")
WITHOUT_TOOL: Final = ("ToolVanished", "ToolRetired", "ToolDeleted")


@dataclass(slots=True)
class Version:
    """A published version."""

    name: str
    number: int
    hash: str
    tier: str
    contract: int
    document: Row

    def fits(self, clinic: Clinic) -> bool:
        """Whether the clinic's tier has such tools."""
        return _rank(self.tier) <= _rank(clinic.tier)


@dataclass(slots=True)
class Order:
    """A rollout that was started. ``opened``: how many of its stages are. ``gives``: what its number stood for then.

    ``spoken_at``: the position of the newest event about it.
    """

    id: str
    tool: str
    version: int | None
    stages: list[Row]
    position: int
    started: str
    gives: Version | None = None
    state: str = "running"
    opened: int = 1
    spoken_at: int = 0


@dataclass(slots=True)
class Has:
    """A tool's row of a clinic, as the log has it at a moment."""

    hash: str
    enabled: bool
    position: int


@dataclass(frozen=True, slots=True)
class Due:
    """What a clinic should have. ``keeps``: what it has, whatever that is, or has been without for a while (``kept``).

    ``order``: the newest that holds it; None where a pin decides.
    """

    version: Version | None
    order: str | None
    keeps: bool = False
    kept: str | None = None


@dataclass(slots=True)
class Book:
    """All that was published and ordered up to a position."""

    position: int = 0
    versions: dict[tuple[str, int], Version] = field(default_factory=dict)
    by_hash: dict[tuple[str, str], Version] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    halted: set[str] = field(default_factory=set)
    answered: set[tuple[str, int]] | None = None
    """None until it was ever announced: then what the release knows counts, which is every contract of its own."""

    def after(self, event: Event) -> "Book":
        """With one event more of no organization."""
        book = copy.deepcopy(self)
        book.position = event.position
        data = event.data
        match event.type:
            case "BlueprintPublished" if data.get("document") is not None:
                version = Version(
                    data["name"],
                    data["version"],
                    data["definition_hash"],
                    data["tier"],
                    _contract(data),
                    data["document"],
                )
                book.versions[data["name"], version.number] = version
                book.by_hash[data["name"], version.hash] = version
            case "ContractsAnswered":
                book.answered = {(one["name"], one["contract"]) for one in data["contracts"]}
            case "ToolHalted":
                book.halted.add(data["name"])
            case "ToolResumed":
                book.halted.discard(data["name"])
            case "RolloutStarted":
                started = event.row["recorded_at_text"]
                gives = None if data["version"] is None else book.versions[data["tool"], data["version"]]
                order = Order(
                    data["rollout_id"], data["tool"], data["version"], data["stages"], event.position, started, gives
                )
                # One that begins at a gate has no stage open yet.
                order.opened = 0 if data.get("gated") else 1
                order.spoken_at = event.position
                book.orders.append(order)
            case _:
                for order in book.orders:
                    if order.id == data.get("rollout_id"):
                        _change(order, event)
        return book

    def due(self, clinic: Clinic, tool: str, at: datetime) -> Due:
        """What the clinic should have of the tool at a moment."""
        order = next((one for one in reversed(self.orders) if one.tool == tool and holds(one, clinic)), None)
        by = None if order is None else order.id
        if clinic.closed or tool in self.halted or tool in clinic.off:
            return Due(None, by)
        pin = clinic.pins.get(tool)
        pinned = None if pin is None else self.by_hash.get((tool, pin.hash))
        wanted = pinned if pinned is not None else None if order is None else order.gives
        if wanted is not None and not self._is_answered(wanted) and wanted.fits(clinic):
            return Due(None, by, keeps=True)
        due = Due(None if wanted is None or not wanted.fits(clinic) else wanted, None if pinned is not None else by)
        if (pinned is not None and due.version is not None) or not clinic.is_shut(at):
            return due
        return self._until_open(clinic, tool, due, by) or due

    def _until_open(self, clinic: Clinic, tool: str, due: Due, by: str | None) -> Due | None:
        """What the clinic has while its change window is closed; None: the same as if it were open."""
        kept, wanted = clinic.kept.get(tool), None if due.version is None else due.version.hash
        if kept is None:
            # A tool more: it waits where an order came after the clinic had tools, and after what it chose itself.
            spoken = max((order.spoken_at for order in self.orders if order.tool == tool), default=0)
            waits = wanted is not None and clinic.kept_since is not None and clinic.settled_at(tool) < spoken
            return Due(None, by, keeps=True) if waits else None
        if wanted == kept or (wanted is None and clinic.was_told(tool, by)):
            return None
        version = self.by_hash.get((tool, kept))
        fits = version is not None and version.fits(clinic) and self._is_answered(version)
        return Due(None, by, keeps=True, kept=kept) if fits else None

    def _is_answered(self, version: Version) -> bool:
        if not version.contract or self.answered is None:
            return True
        return (version.name, version.contract) in self.answered


def holds(order: Order, clinic: Clinic) -> bool:
    """Whether an order gives the clinic its version."""
    if order.state == "rolled back":
        return False
    if order.state == "completed":
        return any(_contains(stage, clinic) for stage in order.stages)
    if (order.tool, order.id) in clinic.follows:
        return True
    is_signup = clinic.since >= order.started
    if order.state != "running" or (is_signup and order.opened < len(order.stages)):
        return False
    return any(_contains(stage, clinic) for stage in order.stages[: order.opened])


def rows_after(rows: dict[str, Has], event: Event) -> None:
    """Take the event into a clinic's tools."""
    if event.type in (*WITH_TOOL, *WITHOUT_TOOL):
        rows[event.data["name"]] = Has(str(event.data.get("definition_hash")), event.type in WITH_TOOL, event.position)


def ring(org: str) -> int:
    """The clinic's ring: the same ones go first every time."""
    return int.from_bytes(sha256(org.encode()).digest()[:4], "big") % RINGS


def _contains(stage: Row, clinic: Clinic) -> bool:
    tiers = stage.get("tiers") or ()
    return clinic.org in (stage.get("orgs") or ()) or (
        ring(clinic.org) < stage.get("ring_below", 0) and (not tiers or clinic.tier in tiers)
    )


def _change(order: Order, event: Event) -> None:
    if event.type != "RolloutPlanned":
        order.spoken_at = event.position
    if event.type == "RolloutStageOpened":
        order.opened = max(order.opened, event.data["stage"] + 1)
    elif event.type in NEW_STATE:
        order.state = NEW_STATE[event.type]
        if order.state == "completed":
            order.opened = len(order.stages)


def _contract(data: Row) -> int:
    named = {one.get("key"): one.get("value") for one in data["document"].get("parameters") or ()}
    found = data["contract"] if data.get("contract") is not None else named.get("contract", 1)
    return int(found)


def _rank(tier: str) -> int:
    return TIERS.index(tier) if tier in TIERS else 0
