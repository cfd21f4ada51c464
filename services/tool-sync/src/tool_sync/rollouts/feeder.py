"""The feeder: makes clinics due whose tool is not as decided, and opens the next stage when all of one is as ordered.

    what was published or ordered changed, or an order runs
        ─► walk over the clinics ─► differs ─► fed, at most 500 that are not done at a time
                                 ─► an update in place makes the clinic due; anything else is an event of its stream
        ─► nothing differs any more ─► read back what the stage touched ─► bake ─► next stage, or completed

No row and no event waits for a clinic that is not fed yet, and nothing here decides: a clinic's own run does, on the
fleet as it is then. So a feeder that died, or two that feed at once, change nothing but the time that it takes.
"""

import contextlib
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from tool_sync import db
from tool_sync.domain.events import ToolOrdered
from tool_sync.domain.fleet import Fleet, Order
from tool_sync.domain.fleet.decide import decide_tool
from tool_sync.domain.fleet.rollout import Refused, RolloutCommand, RolloutEvent, decide_rollout
from tool_sync.domain.fleet.work import ClinicFacts, work_of
from tool_sync.log import AppendRejected, AppendRequest, Duplicate, LogUnavailable, UnknownEvent, fact, org_stream
from tool_sync.rollouts import command, turns
from tool_sync.rollouts.due import WORK, is_due, is_over, is_too_old, why_shut
from tool_sync.rollouts.facts import PAGE_CLINICS, facts_of, page_of
from tool_sync.rollouts.read_back import ReadBack
from tool_sync.rollouts.walk import ClinicWalk
from tool_sync.sync.asking import KeyHeld
from tool_sync.sync.context import Context
from tool_sync.vapi.failures import VapiFailure
from zerotouch_platform.loops import Loop

SOURCE: Final = "/zerotouch/tool-sync/feeder"
ACTOR: Final = "tool-sync"
FED_MAX: Final = 500
"""Clinics that are fed and not done: enough for as many as this machine does in a second."""
FED_SECONDS: Final = 3.0
"""Of a key's rate: whoever is fed and has to wait is told a time, and the last ones should not wait for long."""
FED_MIN: Final = 20
PAGE_CLINICS_MIN: Final = 200
FEED_AGAIN_SECONDS: Final = 10.0
"""A clinic that was being worked on when it was fed may have missed it."""
WALK_AGAIN_SECONDS: Final = 60.0
"""A stage that waits is walked again: what was refused may be taken by now."""
BUSY_SECONDS: Final = 0.2
IDLE_SECONDS: Final = 2.0

log = structlog.get_logger(__name__)


class Feeder:
    """Any number of processes may run its loop: each turn is one process's, for a while, by a row (:mod:`.turns`)."""

    def __init__(self, context: Context, pool: db.Pool, *, on_fed: Callable[[], None], fed_max: int = FED_MAX) -> None:
        self._context, self._pool, self._on_fed, self._fed_max = context, pool, on_fed, fed_max
        self._token = context.new_id()
        self._walks: dict[str, ClinicWalk] = {}
        self._settled: dict[str, int] = {}
        self._is_busy = False
        self.loop: Final = Loop(
            self.run_once,
            lambda: BUSY_SECONDS if self._is_busy else IDLE_SECONDS,
            "Feeder waits",
            (LogUnavailable, AppendRejected, UnknownEvent, command.FleetContended, *db.TRANSIENT_ERRORS),
            fault="Feeder failed for a fault of ours",
            at_end=self._give_up_turns,
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

    async def _give_up_turns(self) -> None:
        """Another process goes on at once, and not only when this one is taken for gone."""
        with contextlib.suppress(*db.TRANSIENT_ERRORS):
            await turns.give_up(self._pool, self._token)

    def _due(self, fleet: Fleet) -> list[str]:
        """The tools of which something changed that not every clinic has, or whose order runs."""
        now = self._context.clock.now()
        return [name for name in fleet.names if is_due(fleet, name, self._settled.get(name, 0), now)]

    async def _turn(self, fleet: Fleet, name: str) -> None:
        walk = self._walks.get(name)
        if walk is None or walk.position != fleet.changed_at[name]:
            walk = self._walks[name] = ClinicWalk(fleet.changed_at[name], older=await turns.held(self._pool))
        order = fleet.open_order(name)
        if order is not None and is_too_old(order, self._context.clock.now()):
            await self._command(order, "expire", walk)
            self._is_busy = True
            return
        await self._feed(fleet, name, walk)
        if not walk.ended or walk.fed:
            self._is_busy = True
            await self._wait(name, walk, None)
        elif walk.found or time.monotonic() - walk.ended_at > WALK_AGAIN_SECONDS:
            walk.again()
            self._is_busy = True
        elif order is None or order.state != "running":
            await self._settle(name, walk)
        else:
            await self._gate(fleet, order, walk)

    async def _settle(self, name: str, walk: ClinicWalk) -> None:
        """Every clinic is as decided, unless a run that had read an older fleet has written since it was passed."""
        if not walk.older:
            await turns.settle(self._pool, name, self._token, walk.position)
            return
        self._is_busy = True
        if not await turns.held(self._pool, walk.older):
            walk.older = frozenset()
            walk.again()

    async def _feed(self, fleet: Fleet, name: str, walk: ClinicWalk) -> None:
        """Forget who is done, feed the next, and again who was fed long ago and is not done."""
        waiting = {UUID(facts.clinic.org_id): facts for facts in await facts_of(self._pool, name, walk.fed)}
        now = time.monotonic()
        again: list[ClinicFacts] = []
        for org_id, fed_at in list(walk.fed.items()):
            facts = waiting.get(org_id)
            if facts is None or is_over(facts, fleet, name):
                del walk.fed[org_id]
            elif now - fed_at > FEED_AGAIN_SECONDS:
                again.append(facts)
        fresh: list[ClinicFacts] = []
        while not walk.ended and len(walk.fed) + len(fresh) < self._fed_max:
            # Few of a page may differ, or all: read a few times what there is room for.
            limit = min(PAGE_CLINICS, max(PAGE_CLINICS_MIN, 4 * (self._fed_max - len(walk.fed) - len(fresh))))
            page = await page_of(self._pool, name, walk.after, limit)
            walk.ended, walk.ended_at = len(page) < limit, now
            for facts in page:
                walk.after = UUID(facts.clinic.org_id)
                self._count(fleet, name, walk, facts)
                if work_of(facts, fleet, name) in WORK:
                    fresh.append(facts)
                if len(walk.fed) + len(fresh) >= self._fed_max:
                    walk.ended = walk.ended and facts is page[-1]
                    break
        fed = await self._make_due(fleet, name, [*fresh, *again])
        in_vain = sum(UUID(facts.clinic.org_id) not in fed for facts in fresh)
        walk.found += len(fresh) - in_vain
        walk.refused += in_vain
        walk.fed.update(dict.fromkeys(fed, now))

    def _count(self, fleet: Fleet, name: str, walk: ClinicWalk, facts: ClinicFacts) -> None:
        made, work = decide_tool(facts.clinic, fleet, name), work_of(facts, fleet, name)
        if made.rule == "order" and made.order is fleet.open_order(name) and work != "unused":
            walk.given += 1
            walk.refused += work == "refused"

    async def _make_due(self, fleet: Fleet, name: str, clinics: list[ClinicFacts]) -> list[UUID]:
        """Whoever of these clinics has something to do now; the others have looked it through, and are not helped."""
        by_event = [facts for facts in clinics if work_of(facts, fleet, name) != "update"]
        fed = [UUID(facts.clinic.org_id) for facts in clinics if work_of(facts, fleet, name) == "update"]
        if fed:
            await turns.make_due(self._pool, fed)
        if by_event:
            answers = await self._context.log.append_all([self._ordered(fleet, name, facts) for facts in by_event])
            known: list[UUID] = []
            for facts, answer in zip(by_event, answers, strict=True):
                (known if isinstance(answer, Duplicate) else fed).append(UUID(facts.clinic.org_id))
            # Read anew: another process may have told them since these were read.
            told = await facts_of(self._pool, name, known)
            fed += [UUID(facts.clinic.org_id) for facts in told if not is_over(facts, fleet, name)]
        if fed:
            self._on_fed()
        return fed

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

    async def _gate(self, fleet: Fleet, order: Order, walk: ClinicWalk) -> None:
        """Everything of the open stages is as ordered, as far as the log knows: is it at Vapi, and has it baked?"""
        why = why_shut(fleet, order, walk) or await self._unread(fleet, order, walk) or self._baking(order, walk)
        if why is not None:
            await self._wait(order.tool, walk, why)
            return
        await self._command(order, "pass", walk)
        self._is_busy = True

    async def _unread(self, fleet: Fleet, order: Order, walk: ClinicWalk) -> str | None:
        """What of the stage was not seen at Vapi as ordered, in words. While it bakes it is not looked at again."""
        if self._baking(order, walk) is not None:
            return None
        if walk.read_back is None:
            walk.read_back = ReadBack(self._context, self._pool, order)
        try:
            missing = await walk.read_back.missing(fleet)
        except KeyHeld:
            return "the read-back waits for the key"
        except VapiFailure as failure:
            return f"the read-back failed: {failure.code.value}"
        if not missing:
            return None
        return (
            "1 tool is not at Vapi as ordered yet"
            if missing == 1
            else f"{missing:,} tools are not at Vapi as ordered yet"
        )

    def _baking(self, order: Order, walk: ClinicWalk) -> str | None:
        """Until when the open stage bakes, in words; None where it does not, or was not read back yet."""
        stage = order.stages[order.open_stage]
        done_at = None if walk.read_back is None else walk.read_back.done_at
        if not stage.bake_seconds or done_at is None:
            return None
        until = done_at + timedelta(seconds=stage.bake_seconds)
        return (
            f"stage {stage.name} bakes until {until:%Y-%m-%d %H:%M:%S} UTC"
            if self._context.clock.now() < until
            else None
        )

    async def _wait(self, name: str, walk: ClinicWalk, why: str | None) -> None:
        """Say what the tool's order waits for, where that has changed; None: for clinics that are being worked on."""
        if why == walk.said and walk.has_said:
            return
        await turns.say(self._pool, name, self._token, why)
        walk.said, walk.has_said = why, True
        if why is not None:
            log.info("Rollout waits", tool=name, reason=why)

    async def _command(self, order: Order, what: RolloutCommand, walk: ClinicWalk) -> None:
        def decide(fleet: Fleet) -> RolloutEvent | Refused:
            # What was found is true of the fleet as it was: another process, or a person, may have opened the next
            # stage meanwhile, whose gate nobody has looked at, or halted the tool.
            if fleet.changed_at[order.tool] != walk.position:
                return Refused(f"something else was decided about {order.tool} meanwhile")
            return decide_rollout(fleet, order.rollout_id, what, reason="")

        written = await command.write(self._context.log, command.rollout_stream(order.rollout_id), decide, actor=ACTOR)
        did = written.why if isinstance(written, Refused) else type(written.event).__name__
        log.info("Rollout goes on", rollout_id=order.rollout_id, tool=order.tool, what=what, did=did)


def fed_max_of(requests_per_minute: int | None) -> int:
    """How many clinics are fed at a time, where the key allows so many requests; None: any number."""
    if requests_per_minute is None:
        return FED_MAX
    return min(FED_MAX, max(FED_MIN, round(requests_per_minute / 60 * FED_SECONDS)))
