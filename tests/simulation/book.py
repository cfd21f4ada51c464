"""What orders say of a clinic, read from the log by rules of our own: an oracle that asks the accused is none.

It shares no line with `tool_sync.domain.fleet`: neither the fold nor the decision, nor who is in a stage.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Literal, TypeVar
from uuid import UUID

from tool_sync.domain import events as e
from tool_sync.log import StoredEvent
from zerotouch_contracts.tools import ANSWERED

TIERS: Final = ("basic", "professional", "enterprise")
CONTRACTS: Final = frozenset((definition.name, definition.contract) for definition in ANSWERED)
"""What this release of assistant-api answers; it counts until anything is announced."""

State = Literal["running", "paused", "aborted", "expired", "completed", "rolled back"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Order:
    """A rollout that was started; ``opened`` counts its open stages."""

    rollout_id: str
    tool: str
    version: int | None
    stages: tuple[e.RolloutStage, ...]
    started_at: datetime
    state: State = "running"
    opened: int = 1


@dataclass(frozen=True, slots=True)
class Book:
    """Everything that was published and ordered, up to a position."""

    position: int = 0
    versions: Mapping[tuple[str, int], e.BlueprintPublished] = field(default_factory=dict)
    orders: tuple[Order, ...] = ()
    """Oldest first."""
    halted: frozenset[str] = frozenset()
    contracts: frozenset[tuple[str, int]] = CONTRACTS
    """What assistant-api answers."""

    @property
    def tools(self) -> tuple[str, ...]:
        """Every tool of which a version was published."""
        return tuple(dict.fromkeys(name for name, _ in self.versions))

    def without(self, rollout_ids: Iterable[str]) -> "Book":
        """As if these had never been ordered."""
        gone = set(rollout_ids)
        return replace(self, orders=tuple(order for order in self.orders if order.rollout_id not in gone))

    def after(self, stored: StoredEvent) -> "Book":
        """With one more event of the fleet."""
        return replace(self._after(stored.event, stored.recorded_at), position=stored.position)

    def _after(self, event: Any, at: datetime) -> "Book":
        match event:
            case e.BlueprintPublished(name=name, version=version):
                return replace(self, versions={**self.versions, (name, version): event})
            case e.ToolHalted(name=name):
                return replace(self, halted=self.halted | {name})
            case e.ToolResumed(name=name):
                return replace(self, halted=self.halted - {name})
            case e.ContractsAnswered(contracts=contracts):
                return replace(self, contracts=frozenset((one.name, one.contract) for one in contracts))
            case e.RolloutStarted():
                order = Order(event.rollout_id, event.tool, event.version, event.stages, at)
                return replace(self, orders=(*self.orders, order))
            case e.RolloutStageOpened(stage=stage):
                return self._with(event.rollout_id, lambda order: replace(order, opened=stage + 1))
            case e.RolloutPaused():
                return self._with(event.rollout_id, lambda order: replace(order, state="paused"))
            case e.RolloutResumed():
                return self._with(event.rollout_id, lambda order: replace(order, state="running"))
            case e.RolloutCompleted():
                return self._with(event.rollout_id, lambda order: replace(order, state="completed"))
            case e.RolloutAborted():
                return self._with(event.rollout_id, lambda order: replace(order, state="aborted"))
            case e.RolloutExpired():
                return self._with(event.rollout_id, lambda order: replace(order, state="expired"))
            case e.RolloutRolledBack():
                return self._with(event.rollout_id, lambda order: replace(order, state="rolled back"))
            case _:
                return self

    def _with(self, rollout_id: str, change: Callable[[Order], Order]) -> "Book":
        return replace(self, orders=tuple(change(one) if one.rollout_id == rollout_id else one for one in self.orders))


@dataclass(frozen=True, slots=True)
class Facts:
    """A clinic, as far as orders ask about it."""

    org_id: UUID
    tier: str = "basic"
    closed: bool = False
    since: datetime | None = None
    off: frozenset[str] = frozenset()
    followed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By tool, every order that a write which has happened was for."""
    has: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    """By tool, the version and hash that it was made from."""

    def after(self, stored: StoredEvent) -> "Facts":
        """With one more event of the clinic."""
        known = self if self.since is not None else replace(self, since=stored.recorded_at)
        return known._after(stored.event)

    def _after(self, event: Any) -> "Facts":
        match event:
            case e.OrgRegistered(tier=tier):
                return replace(self, tier=tier, closed=False)
            case e.OrgTierChanged(tier=tier):
                return replace(self, tier=tier)
            case e.OrgClosed():
                return replace(self, closed=True)
            case e.ToolSettingChanged(name=name, enabled=enabled):
                return replace(self, off=self.off - {name} if enabled else self.off | {name})
            case e.ToolSettingRemoved(name=name):
                return replace(self, off=self.off - {name})
            case e.ToolRegistered() | e.ToolUpdated():
                return self._following(event.name, event.order)._with(event)
            case e.ToolReinstated():
                return self._with(event)
            case e.ToolRetired():
                return self._following(event.name, event.order)._without(event.name)
            case e.ToolVanished(name=name):
                return self._without(name)
            case _:
                return self

    def _following(self, tool: str, order: str | None) -> "Facts":
        if order is None:
            return self
        mine = (*(one for one in self.followed.get(tool, ()) if one != order), order)
        return replace(self, followed={**self.followed, tool: mine})

    def _with(self, event: e.ToolRegistered | e.ToolUpdated | e.ToolReinstated) -> "Facts":
        has = (event.definition_version, event.definition_hash)
        return replace(self, has={**self.has, event.name: has})

    def _without(self, tool: str) -> "Facts":
        return replace(self, has={name: has for name, has in self.has.items() if name != tool})


@dataclass(frozen=True, slots=True)
class Due:
    """What a clinic is to have of a tool: ``version`` and hash by ``order``; nothing; or what it has (``keeps``)."""

    version: int | None = None
    definition_hash: str | None = None
    order: str | None = None
    keeps: bool = False


def due(facts: Facts, book: Book, tool: str) -> Due:
    """The rule, in the order of the design."""
    if facts.closed or tool in book.halted or tool in facts.off:
        return Due()
    order = next((one for one in reversed(book.orders) if one.tool == tool and holds(one, facts)), None)
    if order is None:
        return Due()
    if order.version is None or (tool, order.version) not in book.versions:
        return Due(order=order.rollout_id)
    wanted = book.versions[tool, order.version]
    if TIERS.index(wanted.tier) > TIERS.index(facts.tier):
        return Due()
    if wanted.contract and (tool, wanted.contract) not in book.contracts:
        version, definition_hash = facts.has.get(tool, (None, None))
        return Due(version, definition_hash, keeps=True)
    return Due(wanted.version, wanted.definition_hash, order.rollout_id)


def holds(order: Order, facts: Facts) -> bool:
    """Whether the clinic gets what this order says, if no newer one holds it."""
    follows = order.rollout_id in facts.followed.get(order.tool, ())
    if order.state == "rolled back":
        return False
    if order.state == "completed":
        return any(is_in(stage, facts) for stage in order.stages)
    if order.state != "running" or follows:
        return follows
    everything_open = order.opened >= len(order.stages)
    signed_up = facts.since is not None and facts.since >= order.started_at
    return (everything_open or not signed_up) and any(is_in(stage, facts) for stage in order.stages[: order.opened])


def is_in(stage: e.RolloutStage, facts: Facts) -> bool:
    """Whether a stage is for this clinic."""
    if str(facts.org_id) in stage.orgs:
        return True
    ring = int.from_bytes(sha256(str(facts.org_id).encode()).digest()[:4], "big") % 10_000
    return ring < stage.ring_below and (stage.tiers == () or facts.tier in stage.tiers)


def fold(before: T, after: Callable[[T, StoredEvent], T], events: Sequence[StoredEvent]) -> T:
    """What all of them lead to."""
    for stored in events:
        before = after(before, stored)
    return before


class Reader:
    """The book and the clinics' facts as the log has them now; what was read is not read again."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """The log was set back: what was read may not be in it."""
        self._book, self._fleet_events = Book(), 0
        self._facts: dict[UUID, tuple[Facts, int]] = {}

    def book(self, fleet: Sequence[StoredEvent]) -> Book:
        """All of the fleet's events."""
        self._book = fold(self._book, Book.after, fleet[self._fleet_events :])
        self._fleet_events = len(fleet)
        return self._book

    def facts(self, org_id: UUID, events: Sequence[StoredEvent]) -> Facts:
        """All of a clinic's events."""
        facts, read = self._facts.get(org_id, (Facts(org_id), 0))
        facts = fold(facts, Facts.after, events[read:])
        self._facts[org_id] = facts, len(events)
        return facts
