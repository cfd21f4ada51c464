"""The fleet's state as a fold of all blueprint and rollout streams: small, and the same for every clinic."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, Literal

from tool_sync.domain.events import RolloutPlanned, RolloutStage
from tool_sync.domain.events.rollout import RINGS

OrderState = Literal["running", "paused", "completed", "aborted", "expired", "rolled_back"]


@lru_cache(maxsize=4096)
def ring_of(org_id: str) -> int:
    """The clinic's ring, from 0: the same clinics go first in every rollout."""
    return int.from_bytes(sha256(org_id.encode()).digest()[:4]) % RINGS


@dataclass(frozen=True, slots=True)
class Version:
    """A published version. ``document`` is what is registered, with the nil UUID in the org's place."""

    name: str
    version: int
    tier: str
    definition_hash: str
    contract: int
    document: Mapping[str, Any]
    position: int
    is_withdrawn: bool = False
    note: str = ""
    open: tuple[str, ...] = ()
    """Parts that a clinic may word itself."""


@dataclass(frozen=True, slots=True)
class LastWord:
    """The newest event of an order: what made it, who said so, and why.

    ``cause`` ``command``: a person's, or of a second order of a tool that ends itself. ``reason`` is None where nobody
    gave one.
    """

    cause: Literal["command", "gate", "promoted", "seeded", "expired"]
    by: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Order:
    """A rollout that was started, at ``position`` of the log. ``open_stage``: the newest open stage, from 0; -1: none.

    ``judged_position`` and ``judged_from``: of the event that a gate's evidence must be newer than. It opened the
    newest stage, or a person resumed the order by it.
    """

    rollout_id: str
    tool: str
    version: int | None
    stages: tuple[RolloutStage, ...]
    position: int
    started_at: datetime
    expires_at: datetime | None
    reason: str
    state: OrderState = "running"
    open_stage: int = 0
    opened_at: datetime | None = None
    """When the newest open stage was opened."""
    gives: Version | None = None
    """What its number stood for when it was started: the number may be published again, and changes nothing of it."""
    fleet_sequence: int = 0
    """Of what was told of it last."""
    judged_position: int = 0
    judged_from: datetime | None = None
    stopped_stage: int | None = None
    """The stage in which tool-sync itself paused it; once in a stage, as a person's word counts after that."""
    last_word: LastWord | None = None
    """None while it is as it was started."""

    @property
    def is_last_stage_open(self) -> bool:
        """Whether every stage is open."""
        return self.open_stage >= len(self.stages) - 1

    @property
    def is_open(self) -> bool:
        """Whether it is not over: it goes on, or may be resumed."""
        return self.state in ("running", "paused")

    @property
    def is_standing(self) -> bool:
        """Whether it may still give a clinic something that it does not have."""
        return self.is_open or self.state == "completed"


@dataclass(frozen=True, slots=True)
class Fleet:
    """Up to ``position``. ``answered``: the (name, contract) pairs that assistant-api answers; 0 counts as answered."""

    position: int = 0
    versions: Mapping[str, Mapping[int, Version]] = field(default_factory=dict)
    orders: Mapping[str, tuple[Order, ...]] = field(default_factory=dict)
    """By tool, oldest first."""
    halted: Mapping[str, str] = field(default_factory=dict)
    """By tool: the reason."""
    reported: Mapping[str, str] = field(default_factory=dict)
    """By tool whose drift is only reported: the reason."""
    plans: Mapping[str, tuple[RolloutPlanned, datetime]] = field(default_factory=dict)
    """By rollout: those that were not started, and when each was made."""
    stream_versions: Mapping[str, int] = field(default_factory=dict)
    changed_at: Mapping[str, int] = field(default_factory=dict)
    """By tool, the position of the newest event that may change what some clinic should have of it."""
    ordered_at: Mapping[str, int] = field(default_factory=dict)
    """By tool, the position of the newest event of its orders."""
    answered: frozenset[tuple[str, int]] = frozenset()
    hashes: Mapping[tuple[str, str], Version] = field(default_factory=dict)
    """By (name, definition hash): everything that was ever published, also where its number was published again."""

    @property
    def names(self) -> tuple[str, ...]:
        """The tools, in the order in which they were first published."""
        return tuple(self.versions)

    def order(self, rollout_id: str) -> Order | None:
        """A rollout that was started."""
        orders = (order for orders in self.orders.values() for order in orders)
        return next((order for order in orders if order.rollout_id == rollout_id), None)

    def open_order(self, name: str) -> Order | None:
        """The tool's order that is not over; there is one at most."""
        return next((order for order in reversed(self.orders.get(name, ())) if order.is_open), None)

    def is_answered(self, version: Version) -> bool:
        """Whether calls of this version reach a handler. What another service answers is not known here."""
        return version.contract == 0 or (version.name, version.contract) in self.answered

    @property
    def answered_versions(self) -> frozenset[tuple[str, int]]:
        """The (name, version) pairs whose calls assistant-api answers: an assistant may pin an older one."""
        # A number that was published again stands for both: a pin at Vapi names no hash.
        unanswered = {(one.name, one.version) for one in self.hashes.values() if not self.is_answered(one)}
        return frozenset((one.name, one.version) for one in self.hashes.values()) - unanswered

    def document(self, name: str, definition_hash: str) -> Mapping[str, Any] | None:
        """What was published with this hash."""
        version = self.hashes.get((name, definition_hash))
        return None if version is None else version.document
