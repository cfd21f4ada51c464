"""The feeder: makes clinics due whose tool is not as decided, and opens the next stage when all of one is as ordered.

    what was published or ordered changed, or an order runs
        ─► walk over the clinics ─► differs ─► fed, at most 500 that are not done at a time
                                 ─► an update in place makes the clinic due; anything else is an event of its stream
        ─► nothing differs any more ─► read back what the stage touched ─► bake ─► calls ─► dry run
                                                                        ─► next stage, or completed
    calls of the version fail more often ─► paused, with the numbers; once in a stage

No row and no event waits for a clinic that is not fed yet, and nothing here decides: a clinic's own run does, on the
fleet as it is then. So a feeder that died, or two that feed at once, change nothing but the time that it takes.
"""

import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from tool_sync import db
from tool_sync.domain.events import GateEvidence
from tool_sync.domain.fleet import Fleet, Order
from tool_sync.domain.fleet.rollout import Refused, RolloutCommand, RolloutEvent, decide_rollout, second_orders
from tool_sync.domain.fleet.work import ClinicFacts, waits_for_window, work_of
from tool_sync.log import AppendRejected, Duplicate, LogUnavailable, UnknownEvent, rollout_stream
from tool_sync.rollouts import command, turns
from tool_sync.rollouts.applying import end_second_order
from tool_sync.rollouts.due import (
    ACTOR,
    FED_MAX,
    LOOK_AFTER_OPENING,
    is_due,
    is_for_feeder,
    is_over,
    is_too_old,
    told,
)
from tool_sync.rollouts.facts import PAGE_CLINICS, facts_of, page_of
from tool_sync.rollouts.gate_keeper import GateKeeper
from tool_sync.rollouts.gates import Gates, evidence_of
from tool_sync.rollouts.walk import ClinicWalk
from tool_sync.sync.context import Context
from zerotouch_platform.loops import Loop

OWN_FED_MAX: Final = 32
"""Of who is fed, those of one account that is a clinic's own: where it is held, the others of a rollout go on."""
PAGE_CLINICS_MIN: Final = 200
FEED_AGAIN_SECONDS: Final = 10.0
"""A clinic that was being worked on when it was fed may have missed it."""
WALK_AGAIN_SECONDS: Final = 60.0
"""A stage that waits is walked again: what was refused may be taken by now."""
BUSY_SECONDS: Final = 0.2
BUSY_SECONDS_MAX: Final = 1.0
"""Where less than half of who is fed will be done before: to look who is costs as much for each as to feed it."""
IDLE_SECONDS: Final = 2.0

log = structlog.get_logger(__name__)


class Feeder:
    """Any number of processes may run its loop: each turn is one process's, for a while, by a row (:mod:`.turns`)."""

    def __init__(
        self,
        context: Context,
        pool: db.Pool,
        *,
        on_fed: Callable[[], None],
        fed_max: int = FED_MAX,
        gates: Gates | None = None,
    ) -> None:
        self._context, self._pool, self._on_fed, self._fed_max = context, pool, on_fed, fed_max
        self._keeper = GateKeeper(context, pool, gates or Gates(context, pool))
        self._token = context.new_id()
        self._walks: dict[str, ClinicWalk] = {}
        self._settled: dict[str, tuple[int, datetime | None]] = {}
        self._is_busy = False
        self._busy_seconds = BUSY_SECONDS
        self.loop: Final = Loop(
            self.run_once,
            lambda: self._busy_seconds if self._is_busy else IDLE_SECONDS,
            "Feeder waits",
            (LogUnavailable, AppendRejected, UnknownEvent, command.FleetContended, *db.WAITED_OUT_ERRORS),
            fault="Feeder failed for a fault of ours",
            at_end=lambda: turns.give_up(pool, self._token),
        )

    async def run_once(self) -> bool:
        """A turn for every tool with something to do; True where there was one."""
        if self._context.writes_suspended():
            return False
        fleet = await self._read_fleet()
        if self._due(fleet):  # what another process has settled is asked only where that matters
            self._settled = dict(await turns.settled(self._pool))
        due = self._due(fleet)
        self._walks = {name: walk for name, walk in self._walks.items() if name in due}
        self._is_busy, self._busy_seconds = False, BUSY_SECONDS
        for name in due:
            if await turns.take(self._pool, name, self._token) and await self._turn(fleet, name):
                fleet = await self._read_fleet()  # its first stage is open: who is in it need not wait for a turn
                await self._turn(fleet, name)
        return self._is_busy

    async def _read_fleet(self) -> Fleet:
        view = self._context.fleet
        return view.take_in(await command.fleet_events(self._context.log, view.position))

    def _due(self, fleet: Fleet) -> list[str]:
        """The tools of which something changed that not every clinic has, or whose order runs."""
        now = self._context.clock.now()
        known = {name: self._settled.get(name, (0, None)) for name in fleet.names}
        return [name for name, (settled, opens_at) in known.items() if is_due(fleet, name, settled, now, opens_at)]

    async def _turn(self, fleet: Fleet, name: str) -> bool:
        """True where it opened the order's first stage, and did nothing else."""
        walk = self._walks.get(name)
        if walk is None or walk.position != fleet.changed_at[name]:
            walk = self._walks[name] = ClinicWalk(fleet.changed_at[name], older=await turns.held(self._pool))
        if surplus := second_orders(fleet, name):  # whoever started it died before it could end it
            for second in surplus:
                await end_second_order(self._context.log, second.rollout_id)
            self._is_busy = True
            return False
        order = fleet.open_order(name)
        if order is not None and is_too_old(order, self._context.clock.now()):
            await self._command(order, "expire", walk)
            self._is_busy = True
            return False
        if walk.opens_at is not None and walk.opens_at + LOOK_AFTER_OPENING < self._context.clock.now():
            walk.again()
        if order is not None and order.state == "running":
            worse = await self._keeper.worse(fleet, order, walk)
            # Nobody else gets it then.
            if worse and await self._command(
                order, "pause", walk, reason=worse.words, evidence=evidence_of(worse, None)
            ):
                self._is_busy = True
                return False
            if order.open_stage < 0 and await self._gate(fleet, order, walk):
                return True
        await self._feed(fleet, name, walk)
        if walk.ended and walk.noted != (walk.later, walk.opens_at):
            walk.noted = (walk.later, walk.opens_at)
            await turns.note_windows(self._pool, name, self._token, walk.later, walk.opens_at, walk.opens_in)
        if not walk.ended or walk.fed:
            self._is_busy = True
            if order is None or order.open_stage >= 0:  # who is fed before that is not what it waits for
                await self._wait(name, walk, None)
        elif walk.found or time.monotonic() - walk.ended_at > WALK_AGAIN_SECONDS:
            walk.again()
            self._is_busy = True
        elif order is None or order.state != "running":
            await self._settle(name, walk)
        else:
            await self._gate(fleet, order, walk)
        return False

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
        at = self._context.clock.now()
        waiting = {UUID(facts.clinic.org_id): facts for facts in await facts_of(self._pool, name, walk.fed, at)}
        now, before = time.monotonic(), len(walk.fed)
        again: list[ClinicFacts] = []
        for org_id, fed_at in list(walk.fed.items()):
            facts = waiting.get(org_id)
            if facts is None or is_over(facts, fleet, name):
                del walk.fed[org_id]
            elif now - fed_at > FEED_AGAIN_SECONDS:
                again.append(facts)
        half_done = walk.half_done_in(now, before - len(walk.fed))
        own_fed = Counter(map(self._context.accounts.name_of, walk.fed))
        fresh: list[ClinicFacts] = []
        while not walk.ended and len(walk.fed) + len(fresh) < self._fed_max:
            # Few of a page may differ, or all: as many times what there is room for as the page before has shown.
            room, differed = self._fed_max - len(walk.fed) - len(fresh), len(fresh)
            limit = min(PAGE_CLINICS, max(PAGE_CLINICS_MIN, walk.stride * room))
            page = await page_of(self._pool, name, walk.after, limit, at)
            later: dict[UUID, datetime] = {}
            walk.ended, walk.ended_at = len(page) < limit, now
            for facts in page:
                walk.after = UUID(facts.clinic.org_id)
                walk.count(fleet, name, facts)
                if is_for_feeder(facts, fleet, name):
                    own = self._context.accounts.name_of(walk.after)
                    if own is None or own_fed[own] < OWN_FED_MAX:  # the next walk has those that are passed over
                        own_fed[own] += 1
                        fresh.append(facts)
                elif waits_for_window(facts, fleet, name) and facts.clinic.opens_at is not None:
                    later[walk.after] = facts.clinic.opens_at
                    walk.waits(facts.clinic.opens_at, facts.time_zone)
                if len(walk.fed) + len(fresh) >= self._fed_max:
                    walk.ended = walk.ended and facts is page[-1]
                    break
            walk.stride = 1 if 2 * (len(fresh) - differed) > len(page) else min(2 * walk.stride, PAGE_CLINICS)
            if later:
                # No row and no event says that it waits: its run decides then, whatever has become of the order. A run
                # that has read an older fleet may take the time back; while one is left, nothing is settled.
                await turns.make_due_at(self._pool, later)
        fed = await self._make_due(fleet, name, [*fresh, *again])
        in_vain = sum(UUID(facts.clinic.org_id) not in fed for facts in fresh)
        walk.found += len(fresh) - in_vain
        walk.refused += in_vain
        walk.fed.update(dict.fromkeys(fed, now))
        if not walk.ended:
            self._busy_seconds = max(BUSY_SECONDS, min(half_done, BUSY_SECONDS_MAX))

    async def _make_due(self, fleet: Fleet, name: str, clinics: list[ClinicFacts]) -> list[UUID]:
        """Whoever of these clinics has something to do now; the others have looked it through, and are not helped."""
        by_event = [facts for facts in clinics if work_of(facts, fleet, name) != "update"]
        fed = [UUID(facts.clinic.org_id) for facts in clinics if work_of(facts, fleet, name) == "update"]
        if fed:
            await turns.make_due(self._pool, fed)
        if by_event:
            version = self._context.service_version
            answers = await self._context.log.append_all([told(fleet, name, facts, version) for facts in by_event])
            known: list[UUID] = []
            for facts, answer in zip(by_event, answers, strict=True):
                (known if isinstance(answer, Duplicate) else fed).append(UUID(facts.clinic.org_id))
            # Read anew: another process may have told them since these were read.
            again = await facts_of(self._pool, name, known, self._context.clock.now())
            fed += [UUID(facts.clinic.org_id) for facts in again if not is_over(facts, fleet, name)]
        if fed:
            self._on_fed()
        return fed

    async def _gate(self, fleet: Fleet, order: Order, walk: ClinicWalk) -> bool:
        """Open the next stage, where nothing speaks against it."""
        if (why := await self._keeper.why_shut(fleet, order, walk)) is not None:
            await self._wait(order.tool, walk, why)
            return False
        self._is_busy = True
        return await self._command(order, "pass", walk, evidence=evidence_of(walk.calls, walk.dry_run))

    async def _wait(self, name: str, walk: ClinicWalk, why: str | None) -> None:
        """Say what the tool's order waits for, where that has changed; None: for clinics that are being worked on."""
        if why == walk.said and walk.has_said:
            return
        await turns.say(self._pool, name, self._token, why)
        walk.said, walk.has_said = why, True
        if why is not None:
            log.info("Rollout waits", tool=name, reason=why)

    async def _command(
        self,
        order: Order,
        what: RolloutCommand,
        walk: ClinicWalk,
        *,
        reason: str = "",
        evidence: GateEvidence | None = None,
    ) -> bool:
        def decide(fleet: Fleet) -> RolloutEvent | Refused:
            # What was found is true of the fleet as it was: another process, or a person, may have opened the next
            # stage meanwhile, whose gate nobody has looked at, or halted the tool.
            if fleet.changed_at[order.tool] != walk.position:
                return Refused(f"something else was decided about {order.tool} meanwhile")
            return decide_rollout(fleet, order.rollout_id, what, reason=reason, evidence=evidence)

        written = await command.write(self._context.log, rollout_stream(order.rollout_id), decide, actor=ACTOR)
        is_done = not isinstance(written, Refused)
        did = written.why if isinstance(written, Refused) else type(written.event).__name__
        log.info("Rollout goes on", rollout_id=order.rollout_id, tool=order.tool, what=what, did=did, reason=reason)
        return is_done
