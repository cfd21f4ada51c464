"""Whether the next stage of an order may open. What was looked at, and how long ago, is remembered in the walk."""

import time
from datetime import timedelta
from typing import Final

from tool_sync.db import Pool
from tool_sync.domain.fleet import Fleet, Order
from tool_sync.rollouts import due
from tool_sync.rollouts.call_intake import asks_for_calls
from tool_sync.rollouts.gates import CallsSeen, Gates
from tool_sync.rollouts.read_back import ReadBack
from tool_sync.rollouts.walk import ClinicWalk
from tool_sync.sync.asking import KeyHeld
from tool_sync.sync.context import Context
from tool_sync.vapi.failures import VapiFailure

CALLS_SECONDS: Final = 2.0
"""Calls are looked at so often, also while a stage's clinics are still fed."""
DRY_RUN_SECONDS: Final = 15.0
"""A dry run that did not pass is asked for again after that, and one that passed a minute ago."""
DRY_RUN_FRESH_SECONDS: Final = 60.0


class GateKeeper:
    """Of all orders."""

    def __init__(self, context: Context, pool: Pool, gates: Gates) -> None:
        self._context, self._pool, self._gates = context, pool, gates

    async def worse(self, fleet: Fleet, order: Order, walk: ClinicWalk) -> CallsSeen | None:
        """Look at the calls; what they show, where the version is worse and nobody resumed it all the same."""
        now = time.monotonic()
        if now - walk.calls_at < CALLS_SECONDS:
            return None
        walk.calls, walk.calls_at = await self._gates.calls(fleet, order), now
        if walk.calls is None or walk.calls.judgement != "worse" or order.stopped_stage == order.open_stage:
            return None
        return walk.calls

    async def why_shut(self, fleet: Fleet, order: Order, walk: ClinicWalk) -> str | None:
        """What speaks against the next stage, in words. Everything of the open ones is as ordered, as far as the log
        knows. Is it at Vapi, has it baked, do its calls work, does the handler?"""
        why = due.why_shut(fleet, order, walk)
        if order.open_stage >= 0:
            why = why or await self._unread(fleet, order, walk) or self._baking(order, walk)
            why = why or _unproved(order, walk)
        return why or await self._untried(fleet, order, walk)

    async def _untried(self, fleet: Fleet, order: Order, walk: ClinicWalk) -> str | None:
        """Why the dry run for the next stage did not pass, in words. It is asked last, as it holds a moment only."""
        last = walk.dry_run
        fresh_seconds = DRY_RUN_FRESH_SECONDS if last is None or last.why is None else DRY_RUN_SECONDS
        if last is None or time.monotonic() - last.at > fresh_seconds:
            last = walk.dry_run = await self._gates.dry_run(fleet, order)
        return last.why

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
        return due.unread_text(missing, is_reported=order.tool in fleet.reported) if missing else None

    def _baking(self, order: Order, walk: ClinicWalk) -> str | None:
        """Until when the open stage bakes, in words; None where it does not, or was not read back yet."""
        stage = order.stages[order.open_stage]
        done_at = None if walk.read_back is None else walk.read_back.done_at
        if not stage.bake_seconds or done_at is None:
            return None
        until = done_at + timedelta(seconds=stage.bake_seconds)
        is_baking = self._context.clock.now() < until
        return f"stage {stage.name} bakes until {until:%Y-%m-%d %H:%M:%S} UTC" if is_baking else None


def _unproved(order: Order, walk: ClinicWalk) -> str | None:
    """Why the calls of the open stages do not open the next one, in words."""
    if not asks_for_calls(order):
        return None
    if walk.calls is None:
        return "calls were not looked at yet"
    return None if walk.calls.judgement in ("not worse", "thin") else walk.calls.words
