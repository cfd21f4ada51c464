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
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from tool_sync import db
from tool_sync.domain.events import ToolOrdered
from tool_sync.domain.fleet import Fleet, Order
from tool_sync.domain.fleet.decide import decide_tool
from tool_sync.domain.fleet.rollout import Refused, RolloutCommand, RolloutEvent, decide_rollout
from tool_sync.domain.fleet.work import ClinicFacts, Work, work_of
from tool_sync.log import AppendRejected, AppendRequest, Duplicate, LogUnavailable, UnknownEvent, fact, org_stream
from tool_sync.rollouts import command, turns
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


class Feeder:
    """Any number of processes may run its loop: each turn is one process's, for a while, by a row (:mod:`.turns`)."""

    def __init__(self, context: Context, pool: db.Pool, *, on_fed: Callable[[], None]) -> None:
        self._context, self._pool, self._on_fed = context, pool, on_fed
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
        now = self._context.clock.now()
        return [name for name in fleet.names if _is_due(fleet, name, self._settled.get(name, 0), now)]

    async def _turn(self, fleet: Fleet, name: str) -> None:
        walk = self._walks.get(name)
        if walk is None or walk.position != fleet.changed_at[name]:
            walk = self._walks[name] = ClinicWalk(fleet.changed_at[name], older=await turns.held(self._pool))
        order = _open_order(fleet, name)
        if order is not None and _is_too_old(order, self._context.clock.now()):
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
            if facts is None or _is_over(facts, fleet, name):
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
        fed = await self._make_due(fleet, name, [*fresh, *again])
        in_vain = sum(UUID(facts.clinic.org_id) not in fed for facts in fresh)
        walk.found += len(fresh) - in_vain
        walk.refused += in_vain
        walk.fed.update(dict.fromkeys(fed, now))

    def _count(self, fleet: Fleet, name: str, walk: ClinicWalk, facts: ClinicFacts) -> None:
        made, work = decide_tool(facts.clinic, fleet, name), work_of(facts, fleet, name)
        if made.rule == "order" and made.order is _open_order(fleet, name) and work != "unused":
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
            fed += [UUID(facts.clinic.org_id) for facts in told if not _is_over(facts, fleet, name)]
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
        why = _shut(fleet, order, walk) or await self._unread(fleet, order, walk) or self._baking(order, walk)
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


def _shut(fleet: Fleet, order: Order, walk: ClinicWalk) -> str | None:
    """Why the gate stays shut whatever is at Vapi, in words: a stage that reached nobody has proved nothing."""
    if order.tool in fleet.halted:
        return f"{order.tool} is halted: {fleet.halted[order.tool]}"
    version = None if order.version is None else fleet.versions[order.tool].get(order.version)
    if version is not None and not fleet.is_answered(version):
        return f"assistant-api does not answer contract {version.contract} of {order.tool}"
    if walk.refused > REFUSED_SHARE_MAX * walk.given:
        return f"Vapi refuses it for {walk.refused:,} of {walk.given:,} clinics"
    return None


def _is_over(facts: ClinicFacts, fleet: Fleet, name: str) -> bool:
    """Whether a clinic that was fed is done; or has looked everything through, and an assistant cannot be helped."""
    work = work_of(facts, fleet, name)
    return work not in WORK or (work != "update" and not facts.is_open)


def _open_order(fleet: Fleet, name: str) -> Order | None:
    """The newest order that is not over: it is the only one."""
    return next((order for order in reversed(fleet.orders.get(name, ())) if order.state in ("running", "paused")), None)


def _is_too_old(order: Order, now: datetime) -> bool:
    return order.expires_at is not None and order.expires_at < now


def _is_due(fleet: Fleet, name: str, settled: int, now: datetime) -> bool:
    order = _open_order(fleet, name)
    if order is not None and (order.state == "running" or _is_too_old(order, now)):
        return True
    return fleet.changed_at.get(name, 0) > settled
