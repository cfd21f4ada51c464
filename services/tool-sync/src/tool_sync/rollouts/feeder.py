"""The feeder: makes clinics due whose tool is not as decided, and opens the next stage when all of one is as ordered.

    what was published or ordered changed, or an order runs
        ─► walk over the clinics ─► differs ─► fed, at most 500 that are not done at a time
                                 ─► an update in place makes the clinic due; anything else is an event of its stream
        ─► nothing differs any more ─► read back what the stage touched ─► bake ─► next stage, or completed

No row and no event waits for a clinic that is not fed yet, and nothing here decides: a clinic's own run does, on the
fleet as it is then. So a feeder that died, or two that feed at once, change nothing but the time that it takes.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from tool_sync import db
from tool_sync.domain.events import ToolOrdered
from tool_sync.domain.fleet import Fleet, Order
from tool_sync.domain.fleet.decide import decide_tool
from tool_sync.domain.fleet.rollout import RolloutCommand, decide_rollout
from tool_sync.domain.fleet.work import ClinicFacts, Work, work_of
from tool_sync.log import AppendRejected, AppendRequest, LogUnavailable, UnknownEvent, fact, org_stream
from tool_sync.rollouts import command, turns
from tool_sync.rollouts.facts import PAGE_CLINICS, facts_of, page_of
from tool_sync.rollouts.read_back import ReadBack
from tool_sync.sync.asking import KeyHeld
from tool_sync.sync.context import Context
from tool_sync.vapi.failures import VapiFailure
from zerotouch_platform.loops import Loop

SOURCE: Final = "/zerotouch/tool-sync/feeder"
ACTOR: Final = "tool-sync"
FED_MAX: Final = 500
"""Clinics that are fed and not done: enough to fill the key's rate, few enough that a pause is felt at once."""
FEED_AGAIN_SECONDS: Final = 10.0
"""A clinic that was being worked on when it was fed may have missed it."""
WALK_AGAIN_SECONDS: Final = 60.0
"""A stage that waits is walked again: what was refused may be taken by now."""
BUSY_SECONDS: Final = 0.2
IDLE_SECONDS: Final = 2.0
REFUSED_SHARE_MAX: Final = 0.05
"""Of a stage's clinics: where Vapi refuses the version for more, the stage waits for a person."""
WORK: Final[frozenset[Work]] = frozenset({"update", "add", "remove"})

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Walk:
    """One walk over the clinics for one tool, since the fleet changed at ``position``."""

    position: int
    after: UUID | None = None
    ended: bool = False
    ended_at: float = 0.0
    found: int = 0
    held: int = 0
    refused: int = 0
    fed: dict[UUID, float] = field(default_factory=dict)
    read_back: ReadBack | None = None

    def again(self) -> None:
        """From the beginning: something differed at the last time."""
        self.after, self.ended, self.found, self.held, self.refused = None, False, 0, 0, 0


class Feeder:
    """Any number of processes may run its loop: each turn is one process's, for a while, by a row (:mod:`.turns`)."""

    def __init__(self, context: Context, pool: db.Pool, *, on_fed: Callable[[], None]) -> None:
        self._context, self._pool, self._on_fed = context, pool, on_fed
        self._token = context.new_id()
        self._walks: dict[str, _Walk] = {}
        self._settled: dict[str, int] = {}
        self._is_busy = False
        self.loop: Final = Loop(
            self.run_once,
            lambda: BUSY_SECONDS if self._is_busy else IDLE_SECONDS,
            "Feeder waits",
            (LogUnavailable, AppendRejected, UnknownEvent, command.FleetContended, *db.TRANSIENT_ERRORS),
            fault="Feeder failed for a fault of ours",
        )

    async def run_once(self) -> bool:
        """A turn for every tool with something to do; True where there was one."""
        if self._context.writes_suspended():
            return False
        loaded = await self._context.log.load((), fold=0, fleet_after=self._context.fleet.position)
        if isinstance(loaded.fleet, UnknownEvent):
            raise loaded.fleet
        fleet = self._context.fleet.take_in(loaded.fleet)
        if self._due(fleet):  # what another process has settled is asked only where that matters
            self._settled = dict(await turns.settled(self._pool))
        due = self._due(fleet)
        self._walks = {name: walk for name, walk in self._walks.items() if name in due}
        self._is_busy = False
        for name in due:
            if await turns.take(self._pool, name, self._token):
                await self._turn(fleet, name)
        return self._is_busy

    def _due(self, fleet: Fleet) -> list[str]:
        """The tools of which something changed that not every clinic has, or whose order runs."""
        return [name for name in fleet.names if _is_due(fleet, name, self._settled.get(name, 0))]

    async def _turn(self, fleet: Fleet, name: str) -> None:
        walk = self._walks.get(name)
        if walk is None or walk.position != fleet.changed_at[name]:
            walk = self._walks[name] = _Walk(fleet.changed_at[name])
        order = _open_order(fleet, name)
        if order is not None and order.expires_at is not None and order.expires_at < self._context.clock.now():
            await self._command(order, "expire")
            return
        await self._feed(fleet, name, walk)
        if not walk.ended or walk.fed:
            self._is_busy = True
        elif walk.found or time.monotonic() - walk.ended_at > WALK_AGAIN_SECONDS:
            walk.again()
            self._is_busy = True
        elif order is None or order.state != "running":
            await turns.settle(self._pool, name, self._token, walk.position)
        else:
            await self._gate(fleet, order, walk)

    async def _feed(self, fleet: Fleet, name: str, walk: _Walk) -> None:
        """Forget who is done, feed the next, and again who was fed long ago and is not done."""
        waiting = {UUID(facts.clinic.org_id): facts for facts in await facts_of(self._pool, name, walk.fed)}
        now = time.monotonic()
        again: list[ClinicFacts] = []
        for org_id, fed_at in list(walk.fed.items()):
            facts = waiting.get(org_id)
            if facts is None or work_of(facts, fleet, name) not in WORK:
                del walk.fed[org_id]
            elif now - fed_at > FEED_AGAIN_SECONDS:
                again.append(facts)
        fresh: list[ClinicFacts] = []
        while not walk.ended and len(walk.fed) + len(fresh) < FED_MAX:
            page = await page_of(self._pool, name, walk.after, PAGE_CLINICS)
            walk.ended, walk.ended_at = len(page) < PAGE_CLINICS, now
            for facts in page:
                walk.after = UUID(facts.clinic.org_id)
                self._count(fleet, name, walk, facts)
                if work_of(facts, fleet, name) in WORK:
                    fresh.append(facts)
                if len(walk.fed) + len(fresh) >= FED_MAX:
                    walk.ended = walk.ended and facts is page[-1]
                    break
        walk.found += len(fresh)
        await self._make_due(fleet, name, [*fresh, *again])
        walk.fed.update({UUID(facts.clinic.org_id): now for facts in (*fresh, *again)})

    def _count(self, fleet: Fleet, name: str, walk: _Walk, facts: ClinicFacts) -> None:
        made = decide_tool(facts.clinic, fleet, name)
        if made.order is not None and made.order is _open_order(fleet, name):
            walk.held += 1
            walk.refused += work_of(facts, fleet, name) == "refused"

    async def _make_due(self, fleet: Fleet, name: str, clinics: list[ClinicFacts]) -> None:
        by_event = [facts for facts in clinics if work_of(facts, fleet, name) != "update"]
        in_place = [UUID(facts.clinic.org_id) for facts in clinics if work_of(facts, fleet, name) == "update"]
        if by_event:
            await self._context.log.append_all([self._ordered(fleet, name, facts) for facts in by_event])
        if in_place:
            await turns.make_due(self._pool, in_place)
        if clinics:
            self._on_fed()

    def _ordered(self, fleet: Fleet, name: str, facts: ClinicFacts) -> AppendRequest:
        made = decide_tool(facts.clinic, fleet, name)
        org_id = UUID(facts.clinic.org_id)
        halt = made.rule == "halted"
        order = None if made.order is None or halt else made.order.rollout_id
        # Once for each change and each state of the row: fed again, it is a duplicate.
        cause = f"{name}:{fleet.changed_at[name]}:{facts.row_position}"
        return fact(
            org_stream(org_id), org_id, ToolOrdered(name, order, halt), source=SOURCE, cause=cause, actor=ACTOR,
            service_version=self._context.service_version,
        )  # fmt: skip

    async def _gate(self, fleet: Fleet, order: Order, walk: _Walk) -> None:
        """Everything of the open stages is as ordered, as far as the log knows: is it at Vapi, and has it baked?"""
        if walk.refused > REFUSED_SHARE_MAX * walk.held:
            await self._wait(order, f"Vapi refuses it for {walk.refused} of {walk.held} clinics")
            return
        if walk.read_back is None:
            walk.read_back = ReadBack(self._context, self._pool, order)
        try:
            missing = await walk.read_back.missing(fleet)
        except KeyHeld:
            await self._wait(order, "the read-back waits for the key")
            return
        except VapiFailure as failure:
            await self._wait(order, f"the read-back failed: {failure.code.value}")
            return
        if missing:
            await self._wait(order, f"{missing} tools are not at Vapi as ordered yet")
            return
        stage = order.stages[order.open_stage]
        baked_at = (order.opened_at or order.started_at) + timedelta(seconds=stage.bake_seconds)
        if stage.bake_seconds and self._context.clock.now() < baked_at:
            await self._wait(order, f"stage {stage.name} bakes until {baked_at:%Y-%m-%d %H:%M:%S} UTC")
            return
        await self._command(order, "pass")
        self._is_busy = True

    async def _wait(self, order: Order, why: str) -> None:
        await turns.say(self._pool, order.tool, self._token, why)
        log.info("Rollout waits", rollout_id=order.rollout_id, tool=order.tool, reason=why)

    async def _command(self, order: Order, what: RolloutCommand) -> None:
        written = await command.write(
            self._context.log,
            command.rollout_stream(order.rollout_id),
            lambda fleet: decide_rollout(fleet, order.rollout_id, what, reason=""),
            actor=ACTOR,
        )
        log.info("Rollout goes on", rollout_id=order.rollout_id, tool=order.tool, did=type(written).__name__, what=what)


def _open_order(fleet: Fleet, name: str) -> Order | None:
    """The newest order that is not over: it is the only one."""
    return next((order for order in reversed(fleet.orders.get(name, ())) if order.state in ("running", "paused")), None)


def _is_due(fleet: Fleet, name: str, settled: int) -> bool:
    order = _open_order(fleet, name)
    return fleet.changed_at.get(name, 0) > settled or (order is not None and order.state == "running")
