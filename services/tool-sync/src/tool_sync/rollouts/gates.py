"""What a stage's gate sees besides the read-back: calls of the version, and the dry run before the next stage's first
clinic. As values, with the sentence that operators read."""

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from tool_sync.db import Pool
from tool_sync.domain.events import GateEvidence, RolloutStage
from tool_sync.domain.fleet import Fleet, Order
from tool_sync.domain.fleet.gate import RATE_ALLOWED, Calls, Judgement, judge
from tool_sync.rollouts.call_intake import asks_for_calls
from tool_sync.rollouts.canaries import canaries_of
from tool_sync.rollouts.dry_run import DryRuns, NotPassed, Passed
from tool_sync.rollouts.gate_calls import counted
from tool_sync.rollouts.plan_gates import gate_words
from tool_sync.sync.context import Context

READ_SECONDS_MAX: Final = 120.0
"""Calls were read to the end so long ago at most; otherwise their absence says nothing."""


@dataclass(frozen=True, slots=True)
class CallsSeen:
    """What the calls since the stage opened show, and in words."""

    judgement: Judgement
    new: Calls
    old: Calls
    words: str


@dataclass(frozen=True, slots=True)
class DryRunSeen:
    """What the dry run showed at so many clinics, on the monotonic clock; ``why``: the gate stays shut for it."""

    result: Literal["not asked", "passed", "not configured", "not ours", "nobody"]
    clinics: int
    at: float
    why: str | None = None


class Gates:
    """``dry_runs`` None: nobody is asked. ``calls_behind_seconds``: how long ago all calls had been read."""

    def __init__(
        self,
        context: Context,
        pool: Pool,
        dry_runs: DryRuns | None = None,
        calls_behind_seconds: Callable[[], float] = lambda: math.inf,
    ) -> None:
        self._context, self._pool, self._dry_runs = context, pool, dry_runs
        self._calls_behind_seconds = calls_behind_seconds

    async def calls(self, fleet: Fleet, order: Order) -> CallsSeen | None:
        """What the calls show now; None where the newest open stage has no gate on calls."""
        if not asks_for_calls(order) or order.judged_from is None:
            return None
        behind = self._calls_behind_seconds()  # before the look: what came after it is not missed
        new, old = await counted(self._pool, order.judged_position)
        stage, waited = order.stages[order.open_stage], self._context.clock.now() - order.judged_from
        before = _before(fleet, order)
        judgement = judge(stage, new, old if before else None, waited, all_read=behind <= READ_SECONDS_MAX)
        words = f"v{order.version}: {_counted(new)} failed, "
        words += f"{before}: {old.failed:,} of {old.total:,}" if before else f"{RATE_ALLOWED:.0%} may"
        is_late = stage.gate_hours and waited.total_seconds() >= stage.gate_hours * 3600
        tail = _tail(order, judgement, new, stage, is_unread=bool(is_late) and behind > READ_SECONDS_MAX)
        return CallsSeen(judgement, new, old, f"{words}: {tail}")

    async def dry_run(self, fleet: Fleet, order: Order) -> DryRunSeen:
        """Run the handler once at each canary of the stage that comes next."""
        now, version = time.monotonic(), order.gives
        if version is None or order.is_last_stage_open:
            return DryRunSeen("not asked", 0, now)
        if version.contract == 0:
            return DryRunSeen("not ours", 0, now)
        if self._dry_runs is None:
            return DryRunSeen("not configured", 0, now)
        clinics = await canaries_of(self._pool, fleet, order, self._context.clock.now())
        if not clinics:
            return DryRunSeen("nobody", 0, now)
        ask, today = self._dry_runs.ask, self._context.clock.now().date()
        tried = await asyncio.gather(*(ask(org_id, version, today) for org_id in clinics))
        now = time.monotonic()
        for org_id, one in zip(clinics, tried, strict=True):
            if isinstance(one, NotPassed):
                return DryRunSeen("not asked", 0, now, f"the dry run at clinic {org_id} did not pass: {one.why}")
        if not (passed := sum(isinstance(one, Passed) for one in tried)):
            why = "the dry run is not there (404): assistant-api is of an older release, or knows none of the clinics"
            return DryRunSeen("not asked", 0, now, why)
        return DryRunSeen("passed", passed, now)


def evidence_of(calls: CallsSeen | None, dry_run: DryRunSeen | None) -> GateEvidence:
    """What was seen, for the event that follows from it."""
    judged = "not asked" if calls is None or calls.judgement == "waits" else calls.judgement
    new, old = (Calls(), Calls()) if calls is None else (calls.new, calls.old)
    tried = DryRunSeen("not asked", 0, 0.0) if dry_run is None else dry_run
    return GateEvidence(judged, new.total, new.failed, old.total, old.failed, tried.result, tried.clinics)


def _counted(calls: Calls) -> str:
    return f"{calls.failed:,} of {calls.total:,} call{'' if calls.total == 1 else 's'}"


def _before(fleet: Fleet, order: Order) -> str | None:
    """What the other clinics have, by name: the version of the newest completed order below this one. None where there
    is no such version, or where no other clinics are left."""
    older = [one for one in fleet.orders[order.tool] if one.state == "completed" and one.position < order.position]
    if not older or older[-1].version is None or order.is_last_stage_open:
        return None
    return f"v{older[-1].version}"


def _tail(order: Order, judgement: Judgement, new: Calls, stage: RolloutStage, *, is_unread: bool) -> str:
    match judgement:
        case "worse" if order.stopped_stage == order.open_stage:
            return "worse; it was resumed all the same, so promote it or roll it back"
        case "worse":
            return "worse (sequential test, 5 %)"
        case "thin":
            return f"thin evidence after {stage.gate_hours} h"
        case "not worse":
            return "not worse (sequential test, 5 %)"
        case "waits" if new.total >= stage.gate_calls:
            return "not enough to say that it is not worse"
        case "waits" if is_unread:
            return "not enough yet, and calls are not read to the end"
        case "waits":
            return f"not enough yet ({gate_words(stage)})"
