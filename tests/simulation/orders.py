"""Who runs the platform: versions are published, ordered in stages, paused, resumed, ended, taken back; tools halted.

    publish ► start ► open the next stage … ► complete | pause ► resume | abort | expire | roll back

Written at once and by one person, as each command holds the stream's version. What a restore has lost stays lost.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final
from uuid import UUID

from tool_sync.domain import events as e
from tool_sync.log import AppendRequest, Meta, NewEvent, event_id
from tool_sync.sync.blueprint import Blueprint

from .book import Book, Order, Reader
from .checks import Checks
from .clinic import Clinic
from .database import Database
from .faults import Faults
from .releases import MOVED, NEWER, OLD, TOOL_NAMES, UNANSWERED, UNANSWERED_CONTRACT, published
from .topic import Topic

SOURCE: Final = "/simulation/orders"
RINGS: Final = 10_000
ALL: Final = e.RolloutStage("all", RINGS)
HALF: Final = e.RolloutStage("half", RINGS // 2)
PAUSES_SECONDS: Final = (0.05, 0.5, 2.0, 8.0)
REASON: Final = "because"


@dataclass(slots=True)
class Orders:
    """The operator of the fleet."""

    database: Database
    topic: Topic
    clinic: Clinic
    checks: Checks
    dice: Random
    reader: Reader
    releases: Sequence[Blueprint] = (OLD,)
    to_none: bool = False
    halts: bool = False
    contracts: bool = False
    drift: bool = False
    _written: int = field(default=0, init=False)

    @classmethod
    def by_chance(
        cls, database: Database, topic: Topic, clinic: Clinic, checks: Checks, faults: Faults, reader: Reader
    ) -> "Orders":
        """Whoever publishes and orders what this run has."""
        later = {"other_url": MOVED, "newer_version": NEWER, "unanswered": UNANSWERED}
        releases = (OLD, *(release for name, release in later.items() if faults.has(name)))
        return cls(
            database, topic, clinic, checks, Random(f"orders {faults.plan.seed}"), reader, releases,
            to_none=faults.has("ordered_to_none"), halts=faults.has("halt"), contracts=UNANSWERED in releases,
            drift=faults.has("reported"),
        )  # fmt: skip

    @property
    def has_work(self) -> bool:
        """Whether this run has any orders beside those that its log begins with."""
        return len(self.releases) > 1 or self.to_none or self.halts

    @property
    def book(self) -> Book:
        """What is published and ordered now."""
        return self.reader.book(self.database.fleet)

    async def live(self, seconds: float) -> None:
        """Do something every now and then."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while loop.time() < until:
            await asyncio.sleep(self.dice.choice(PAUSES_SECONDS))
            self.act()

    def act(self) -> None:
        """One command; none where the log is not there."""
        if not self.topic.is_read or not self.database.fleet:
            return
        tool = self.dice.choice(TOOL_NAMES)
        if self.halts and self.dice.random() < 0.15:
            self.halt(tool, on=tool not in self.book.halted)
            return
        if self.contracts and self.dice.random() < 0.15:
            self.answer(UNANSWERED_CONTRACT, on=(tool, UNANSWERED_CONTRACT) not in self.book.contracts)
            return
        if self.drift and self.dice.random() < 0.15:
            self.report_drift(tool, on=tool not in self.book.reported)
            return
        mine = [order for order in self.book.orders if order.tool == tool and order.state != "rolled back"]
        acts = [(order, act) for order in mine[-4:] for act in self._acts(order)]
        if not acts or self.dice.random() < 0.3:
            self.start_by_chance(tool)
        else:
            order, act = self.dice.choice(acts)
            act(order)

    def end_all(self) -> None:
        """No order is left half done, and no tool halted."""
        for tool in sorted(self.book.halted):
            self.halt(tool, on=False)
        for order in self.book.orders:
            if order.state in ("running", "paused"):
                end = self.dice.choice((self.complete, self.complete, self.abort, self.expire, self.roll_back))
                end(order)

    # --- versions -----------------------------------------------------------------------------------------------------

    def publish(self, release: Blueprint, tool: str) -> int:
        """A release's version of a tool, unless its number stands for just this already; the number."""
        return self.publish_version(published(release, tool))

    def publish_version(self, event: e.BlueprintPublished) -> int:
        """A version, unless its number stands for just this already; the number."""
        known = self.book.versions.get((event.name, event.version))
        if known is None or known.definition_hash != event.definition_hash:
            self._write(f"blueprint-{event.name}", event)
        return event.version

    def halt(self, tool: str, *, on: bool) -> None:
        """Nobody is to have it, or everybody what is ordered again."""
        self._write(f"blueprint-{tool}", e.ToolHalted(tool, REASON) if on else e.ToolResumed(tool, REASON))

    def report_drift(self, tool: str, *, on: bool) -> None:
        """Words that somebody changes at Vapi are left, or put right again."""
        self._write(f"blueprint-{tool}", e.DriftPolicySet(tool, "report" if on else "repair", REASON))

    def answer(self, contract: int, *, on: bool) -> None:
        """Every process of assistant-api is of a release that answers this contract of all tools, or not every one."""
        ours = {(tool, contract) for tool in TOOL_NAMES}
        pairs = self.book.contracts | ours if on else self.book.contracts - ours
        answered = tuple(e.AnsweredContract(*pair) for pair in sorted(pairs))
        self._write("blueprint-~contracts", e.ContractsAnswered(answered))

    # --- orders -------------------------------------------------------------------------------------------------------

    def start_by_chance(self, tool: str) -> None:
        """Order some version of it for some clinics."""
        to_none = self.to_none and self.dice.random() < 0.2
        version = None if to_none else self.publish(self.dice.choice(self.releases), tool)
        self.start(tool, version, self.dice.choice(self._stages()))

    def start(self, tool: str, version: int | None, stages: tuple[e.RolloutStage, ...], *, gated: bool = False) -> str:
        """Order it; the order's id. ``gated``: for nobody, before its first stage opens."""
        rollout_id = f"r{self._written}-{tool[:4]}"
        started = e.RolloutStarted(rollout_id, tool, version, stages, REASON, None, gated)
        self._write(f"rollout-{rollout_id}", started)
        return rollout_id

    def order(self, rollout_id: str) -> Order:
        """As it stands."""
        return next(order for order in self.book.orders if order.rollout_id == rollout_id)

    def open_next(self, order: Order) -> None:
        """The next stage, too."""
        self._of(order, e.RolloutStageOpened(order.rollout_id, order.tool, order.opened, "promoted", REASON))

    def pause(self, order: Order) -> None:
        """No further clinic gets it."""
        self._of(order, e.RolloutPaused(order.rollout_id, order.tool, REASON))

    def resume(self, order: Order) -> None:
        """It goes on."""
        self._of(order, e.RolloutResumed(order.rollout_id, order.tool, REASON))

    def complete(self, order: Order) -> None:
        """All stages have it."""
        self._of(order, e.RolloutCompleted(order.rollout_id, order.tool, "promoted", REASON))

    def abort(self, order: Order) -> None:
        """Nobody further gets it, for good."""
        self._of(order, e.RolloutAborted(order.rollout_id, order.tool, REASON))

    def expire(self, order: Order) -> None:
        """A gate did not open in time."""
        self._of(order, e.RolloutExpired(order.rollout_id, order.tool))

    def roll_back(self, order: Order) -> None:
        """It is taken away."""
        self._of(order, e.RolloutRolledBack(order.rollout_id, order.tool, REASON))

    def _acts(self, order: Order) -> list[Callable[[Order], None]]:
        """What may be done with it; each as often as it should come."""
        match order.state:
            case "running":
                more = [self.open_next] * 3 if order.opened < len(order.stages) else [self.complete] * 3
                return [*more, self.pause, self.pause, self.abort, self.expire, self.roll_back, self.complete]
            case "paused":
                return [self.resume, self.resume, self.abort, self.expire, self.roll_back]
            case "rolled back":
                return []
            case _:
                return [self.roll_back]

    def _stages(self) -> list[tuple[e.RolloutStage, ...]]:
        clinics = [str(org_id) for org_id in self._org_ids()]
        one, other = (
            e.RolloutStage(name, orgs=(self.dice.choice(clinics),) if clinics else ()) for name in ("one", "other")
        )
        return [
            (ALL,), (HALF, ALL), (one, ALL), (one, HALF, ALL), (one,), (one, other),
            (e.RolloutStage("professional", RINGS, ("professional",)), ALL),
        ]  # fmt: skip

    def _org_ids(self) -> list[UUID]:
        return list(self.database.by_org)

    def _of(self, order: Order, event: e.FleetEvent) -> None:
        self._write(f"rollout-{order.rollout_id}", event)

    def _write(self, stream: str, event: e.FleetEvent) -> None:
        self._written += 1
        cause = f"order {self._written}"
        new = NewEvent(event_id(stream, SOURCE, cause, type(event).__name__, 0), event)
        version = self.database.versions.get(stream, 0)
        request = AppendRequest(stream, None, version, (new,), Meta(cause, cause, None, "simulation", "0"))
        self.database.append(request, asyncio.get_running_loop().time())
        self.checks.reached[f"order {type(event).__name__}"] += 1
