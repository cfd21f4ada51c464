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

from .releases import SUFFIX

TIERS: Final = ("basic", "professional", "enterprise")
CONTRACTS: Final = frozenset((definition.name, definition.contract) for definition in ANSWERED)
"""What this release of assistant-api answers; it counts until anything is announced."""

DESCRIPTION_CHARACTERS: Final = 1_000
"""So long no description may be."""

Words = frozenset[e.CustomPart]
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
    gives: e.BlueprintPublished | None = None
    """What its version's number stood for then."""
    state: State = "running"
    opened: int = 1
    spoken_at: int = 0
    """The position of the newest event about it."""


@dataclass(frozen=True, slots=True)
class Book:
    """Everything that was published and ordered, up to a position."""

    position: int = 0
    versions: Mapping[tuple[str, int], e.BlueprintPublished] = field(default_factory=dict)
    """What each number stands for now."""
    definitions: Mapping[tuple[str, str], e.BlueprintPublished] = field(default_factory=dict)
    """By name and hash, all that was ever published."""
    orders: tuple[Order, ...] = ()
    """Oldest first."""
    halted: frozenset[str] = frozenset()
    reported: frozenset[str] = frozenset()
    """Tools whose words are left where somebody changes them at Vapi."""
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
        known = self._after(stored.event, stored.recorded_at)
        rollout_id = getattr(stored.event, "rollout_id", None)
        orders = tuple(
            replace(one, spoken_at=stored.position) if one.rollout_id == rollout_id else one for one in known.orders
        )
        return replace(known, orders=orders, position=stored.position)

    def _after(self, event: Any, at: datetime) -> "Book":
        match event:
            case e.BlueprintPublished(name=name, version=version):
                definitions = {**self.definitions, (name, event.definition_hash): event}
                return replace(self, versions={**self.versions, (name, version): event}, definitions=definitions)
            case e.ToolHalted(name=name):
                return replace(self, halted=self.halted | {name})
            case e.ToolResumed(name=name):
                return replace(self, halted=self.halted - {name})
            case e.DriftPolicySet(name=name, policy=policy):
                others = self.reported - {name}
                return replace(self, reported=others | {name} if policy == "report" else others)
            case e.ContractsAnswered(contracts=contracts):
                return replace(self, contracts=frozenset((one.name, one.contract) for one in contracts))
            case e.RolloutStarted():
                gives = None if event.version is None else self.versions.get((event.tool, event.version))
                opened = 0 if event.gated else 1
                order = Order(event.rollout_id, event.tool, event.version, event.stages, at, gives, opened=opened)
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
    pins: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """By tool, the hash of the definition at which the clinic stays, and the place of the pin."""
    window: tuple[int, int] | None = None
    """Minutes of the day, by UTC, from and to which orders may change its tools."""
    had: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    """As ``has``, and also what it is without for a while; not what an order took away."""
    had_since: int = 0
    wished_at: int = 0
    """The position of its newest setting or other tier."""
    told: Mapping[str, tuple[str | None, int]] = field(default_factory=dict)
    """By tool, the order that its assistants were told last, and where."""
    words: Mapping[str, Words] = field(default_factory=dict)
    """By tool, its own words: those of the newest setting, but what was found to be lost since."""
    set_at: Mapping[str, int] = field(default_factory=dict)
    """By tool, the place of its newest setting."""
    says: Mapping[str, Words] = field(default_factory=dict)
    """By tool, those that its newest write has brought to Vapi."""

    def after(self, stored: StoredEvent) -> "Facts":
        """With one more event of the clinic."""
        known = self if self.since is not None else replace(self, since=stored.recorded_at)
        return known._of_window(stored)._after(stored.event, stored.position)

    def _of_window(self, stored: StoredEvent) -> "Facts":
        """What is asked about it while its change window is closed."""
        match stored.event:
            case e.ChangeWindowSet(opens=opens, closes=closes):
                return replace(self, window=(_minute(opens), _minute(closes)))
            case e.ChangeWindowRemoved():
                return replace(self, window=None)
            case e.ToolSettingChanged() | e.ToolSettingRemoved() | e.ToolCustomized():
                return replace(self, wished_at=stored.position)
            case e.OrgTierChanged(tier=tier) if tier != self.tier:
                return replace(self, wished_at=stored.position)
            case e.OrgRegistered() if self.closed:
                return replace(self, wished_at=stored.position, window=None)
            case e.ToolOrdered(name=name, order=order, halt=False):
                return replace(self, told={**self.told, name: (order, stored.position)})
            case e.OrgSettled(settled_through=through):
                return replace(self, told={name: one for name, one in self.told.items() if one[1] > through})
            case e.ToolRegistered() | e.ToolUpdated() | e.ToolReinstated() as event:
                made = {event.name: (event.definition_version, event.definition_hash)}
                since = self.had_since if self.had else stored.position
                return replace(self._untold(event.name), had={**self.had, **made}, had_since=since)
            case e.ToolRetired(name=name, reason=reason):
                had = {one: made for one, made in self.had.items() if one != name}
                gone = reason in ("order", "closed", "unused")
                return replace(self._untold(name), had=had) if gone else self._untold(name)
            case _:
                return self

    def _untold(self, tool: str) -> "Facts":
        return replace(self, told={name: one for name, one in self.told.items() if name != tool})

    def is_shut(self, at: datetime) -> bool:
        """Whether it has a window, and that is closed."""
        if self.window is None:
            return False
        opens, closes = self.window
        return (60 * at.hour + at.minute - opens) % 1_440 >= (closes - opens) % 1_440

    def _after(self, event: Any, position: int) -> "Facts":
        match event:
            case e.OrgRegistered(tier=tier):
                return replace(self, tier=tier, closed=False)
            case e.OrgTierChanged(tier=tier):
                return replace(self, tier=tier)
            case e.OrgClosed():
                return replace(self, closed=True, pins={}, words={})
            case e.ToolPinned(name=name):
                return replace(self, pins={**self.pins, name: (event.definition_hash, position)})
            case e.ToolPinExpired(name=name, pinned_at=pinned_at) if self.pins.get(name, ("", 0))[1] != pinned_at:
                return self
            case e.ToolUnpinned(name=name) | e.ToolPinExpired(name=name):
                return replace(self, pins={tool: pin for tool, pin in self.pins.items() if tool != name})
            case e.ToolSettingChanged(name=name, enabled=enabled) | e.ToolCustomized(name=name, enabled=enabled):
                return self._set(event, position, off=self.off - {name} if enabled else self.off | {name})
            case e.ToolSettingRemoved(name=name):
                return self._set(event, position, off=self.off - {name})
            case e.ToolTextLost(name=name, set_at=set_at) if set_at != self.set_at.get(name):
                return self  # these were set anew
            case e.ToolTextLost(name=name, hashes=hashes):
                left = frozenset(part for part in self.words.get(name, ()) if part.hash not in hashes)
                return replace(self, words={**self.words, name: left})
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

    def _set(
        self, event: e.ToolSettingChanged | e.ToolSettingRemoved | e.ToolCustomized, position: int, off: frozenset[str]
    ) -> "Facts":
        """A setting is a whole one: what it has no words for is the version's."""
        words = frozenset(event.parts) if isinstance(event, e.ToolCustomized) else frozenset()
        set_at = {**self.set_at, event.name: position}
        return replace(self, off=off, words={**self.words, event.name: words}, set_at=set_at)

    def _following(self, tool: str, order: str | None) -> "Facts":
        if order is None:
            return self
        mine = (*(one for one in self.followed.get(tool, ()) if one != order), order)
        return replace(self, followed={**self.followed, tool: mine})

    def _with(self, event: e.ToolRegistered | e.ToolUpdated | e.ToolReinstated) -> "Facts":
        has = {**self.has, event.name: (event.definition_version, event.definition_hash)}
        if isinstance(event, e.ToolReinstated):
            return replace(self, has=has)
        return replace(self, has=has, says={**self.says, event.name: frozenset(event.overlay)})

    def _without(self, tool: str) -> "Facts":
        return replace(self, has={name: has for name, has in self.has.items() if name != tool})


@dataclass(frozen=True, slots=True)
class Due:
    """What a clinic is to have of a tool: ``version`` and hash by ``order``; nothing; or what it has (``keeps``).

    ``words``: with which of its own.
    """

    version: int | None = None
    definition_hash: str | None = None
    order: str | None = None
    keeps: bool = False
    words: Words = frozenset()


def due(facts: Facts, book: Book, tool: str, at: datetime | None = None) -> Due:
    """The rule, in the order of the design. ``at`` None: as if its window were open."""
    said = _by_window(facts, book, tool, at)
    if said.definition_hash is None:
        return said
    version = book.definitions.get((tool, said.definition_hash))
    if version is None:  # it was adopted as it was found, and is left so
        return replace(said, words=facts.says.get(tool, frozenset()))
    return replace(said, words=taken(version, facts.words.get(tool, frozenset())))


def taken(version: e.BlueprintPublished, words: Words) -> Words:
    """Those that a version takes: it leaves the part open, and Vapi's models still read the whole description."""
    described = len((version.document or {}).get("function", {}).get("description", ""))

    def is_taken(part: e.CustomPart) -> bool:
        is_read = part.part != SUFFIX or described + len("\n") + part.characters < DESCRIPTION_CHARACTERS
        return part.part in version.open and is_read

    return frozenset(filter(is_taken, words))


def _by_window(facts: Facts, book: Book, tool: str, at: datetime | None) -> Due:
    said = _due(facts, book, tool)
    if at is None or facts.closed or tool in book.halted or tool in facts.off or said.keeps or not facts.is_shut(at):
        return said
    if said.definition_hash is not None and said.definition_hash == facts.pins.get(tool, ("", 0))[0]:
        return said  # by its pin, which does not wait
    had = facts.had.get(tool)
    if had is None:
        orders = [order.spoken_at for order in book.orders if order.tool == tool]
        is_new = facts.had and max(facts.had_since, facts.wished_at) < max(orders, default=0)
        return Due(keeps=True) if is_new and said.definition_hash is not None else said
    if said.definition_hash == had[1]:
        return said
    told = facts.told.get(tool)
    if said.definition_hash is None and told is not None and told[0] == said.order:
        return said
    known = book.definitions.get((tool, had[1]))
    fits = known is not None and TIERS.index(known.tier) <= TIERS.index(facts.tier) and _is_answered(known, book)
    return Due(had[0], had[1], keeps=True) if fits else said


def _is_answered(version: e.BlueprintPublished, book: Book) -> bool:
    return not version.contract or (version.name, version.contract) in book.contracts


def _minute(text: str) -> int:
    return 60 * int(text[:2]) + int(text[3:])


def _due(facts: Facts, book: Book, tool: str) -> Due:
    if facts.closed or tool in book.halted or tool in facts.off:
        return Due()
    order = next((one for one in reversed(book.orders) if one.tool == tool and holds(one, facts)), None)
    pinned = book.definitions.get((tool, facts.pins[tool][0])) if tool in facts.pins else None
    wanted = pinned if pinned is not None else None if order is None else order.gives
    if wanted is None:
        return Due() if order is None else Due(order=order.rollout_id)
    if TIERS.index(wanted.tier) > TIERS.index(facts.tier):
        return Due()
    if wanted.contract and (tool, wanted.contract) not in book.contracts:
        version, definition_hash = facts.has.get(tool, (None, None))
        return Due(version, definition_hash, keeps=True)
    by = None if pinned is not None or order is None else order.rollout_id
    return Due(wanted.version, wanted.definition_hash, by)


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
