"""Takes requests of operators by SQL, and does for each what ``tool-sync ship`` does for a file.

    tool_requests ─► lint ─► publish ─► plan ─► apply       (or refused, before anything of it is sent)

One process at a time. What is in the log already is found there, by ids that follow from the request's: so a process
that died, slept or did it a second time changes nothing, and whoever comes next goes on.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from tool_sync import db
from tool_sync.domain.events import BlueprintPublished, RolloutStage
from tool_sync.domain.fleet.rollout import Refused, why_not_now
from tool_sync.log import AppendRejected, Log, LogUnavailable, UnknownEvent, tool_stream
from tool_sync.publishing.document import Installation
from tool_sync.publishing.resolving import Resolve
from tool_sync.publishing.tool_row import lint_row, tool_of_row
from tool_sync.rollouts import command, tool_requests, turns
from tool_sync.rollouts.applying import PlanChanged, apply_plan, plan_order
from tool_sync.rollouts.publish import newest_usable, published_by_row
from tool_sync.rollouts.tool_requests import AGE_MAX, ToolRequest
from tool_sync.sync.blueprint import read_fleet
from zerotouch_platform.loops import Loop, in_one_line
from zerotouch_platform.postgres.pool import ACQUIRE_SECONDS

LOOK_SECONDS: Final = 1.0
TURN: Final = "~requests"
"""No tool's name: whose turn it is."""
ACTOR: Final = "operator"

log = structlog.get_logger(__name__)


class TakingRequests:
    """``stages``: of every order that a statement makes."""

    def __init__(
        self,
        pool: db.Pool,
        event_log: Log,
        installation: Installation,
        stages: tuple[RolloutStage, ...],
        token: UUID,
        resolve: Resolve,
        *,
        loopback_allowed: bool,
        suspended: Callable[[], bool] = lambda: False,
    ) -> None:
        self._pool, self._log, self._installation, self._stages = pool, event_log, installation, stages
        self._token, self._suspended = token, suspended
        self._resolve, self._loopback_allowed = resolve, loopback_allowed
        self.loop: Final = Loop(
            self.run_once,
            LOOK_SECONDS,
            "Requests by SQL wait",
            (LogUnavailable, UnknownEvent, command.FleetContended, *db.WAITED_OUT_ERRORS),
            fault="Requests by SQL failed for a fault of ours",
            at_end=lambda: turns.give_up(pool, token),
        )

    async def run_once(self) -> bool:
        """Go through what is open, where it is this process's turn; True where there was something.

        What fails is raised after all others had their turn, and tried again until it is too old.
        """
        if self._suspended():
            return False
        waiting = await tool_requests.open_requests(self._pool)
        if not waiting or not await self._is_our_turn():
            return False
        fault: Exception | None = None
        for request in await tool_requests.open_requests(self._pool):  # as of our turn
            if not await self._is_our_turn():
                break
            try:
                await self._take(request)
            except Exception as error:
                fault = fault or error
                if request.is_old:  # it stands in the way of everything else that is asked of the tool
                    await self._refuse(request, [f"it could not be done for {_hours(AGE_MAX)}: {in_one_line(error)}"])
        if fault is not None:
            raise fault
        return True

    async def _is_our_turn(self) -> bool:
        return await turns.take(self._pool, TURN, self._token)

    async def _take(self, request: ToolRequest) -> None:
        if request.is_old and request.state == "requested":
            await self._refuse(request, [f"it waited for more than {_hours(AGE_MAX)}: write it again"])
            return
        if request.state == "requested" and not await self._check(request):
            return
        version = request.version
        if request.document is not None:
            version = await self._publish(request) if await self._is_our_turn() else None
            if version is None:
                return
        if request.orders is not None and await self._is_our_turn():
            await self._order(request, version)

    async def _check(self, request: ToolRequest) -> bool:
        """All that the lint says, before anything is written; what was found is said once, by whoever is first."""
        if request.document is not None:
            report = await lint_row(
                request.document, self._resolve, loopback_allowed=self._loopback_allowed, note=request.reason
            )
            if report.problems:
                await self._refuse(request, list(map(str, report.problems)), unless_checked=True)
                return False
        # The statement looked, too, but perhaps long before it was committed, or in a snapshot that was older still.
        if (waits := why_not_now(await read_fleet(self._log), request.tool)) is not None:
            await self._refuse(request, [waits], unless_checked=True)
            return False
        if await tool_requests.mark_checked(self._pool, request):
            return True
        changed = "has changed since the statement was written: look at its row and write it again"
        there = f"there is a tool {request.tool} by now; UPDATE it"
        said = there if request.base_version is None else f"{request.tool} {changed}"
        await self._refuse(request, [said], unless_checked=True)
        return False

    async def _publish(self, request: ToolRequest) -> int | None:
        """The version that it is; None where it was refused."""
        assert request.document is not None
        tool = tool_of_row(request.document, request.reason).tool
        assert tool is not None, "it was linted"
        stream = tool_stream(tool.name)
        try:
            done = await command.write_once(
                self._log,
                stream,
                BlueprintPublished,
                lambda fleet: published_by_row(fleet, tool, self._installation, request.reason),
                cause=f"request:{request.request_id}",
                actor=ACTOR,
            )
        except AppendRejected as rejected:
            await self._refuse(request, [f"it is too large for the log, which keeps it for ever: {rejected.reason}"])
            return None
        if isinstance(done, Refused):
            await self._refuse(request, [done.why])
            return None
        assert isinstance(done.event, BlueprintPublished)
        await tool_requests.mark_published(self._pool, request, done.event.version)
        return done.event.version

    async def _order(self, request: ToolRequest, version: int | None) -> None:
        """Plan and start it, unless the log says that it was started."""
        rollout_id = request.rollout
        why: str | None = None
        fleet = await read_fleet(self._log)
        ordered = None if request.orders == "none" else version
        if request.orders == "version" and version is None:
            newest = newest_usable(fleet, request.tool)
            if isinstance(newest, Refused):
                await self._refuse(request, [newest.why])
                return
            ordered = newest
        if fleet.order(rollout_id) is None:
            if rollout_id not in fleet.plans:
                why = await self._plan(request, ordered, rollout_id)
            if why is None and await self._is_our_turn():
                why = await self._apply(request, rollout_id)
            fleet = await read_fleet(self._log)
        order = fleet.order(rollout_id)
        if order is not None:
            await tool_requests.mark_rolling_out(self._pool, request, order.version or version, rollout_id)
            log.info("Rollout was asked by SQL", rollout_id=rollout_id, tool=request.tool, request=request.id)
        elif why is not None:
            before = [] if version is None else [f"version {version} is published, and no clinic gets it"]
            await self._refuse(request, [*before, why])

    async def _plan(self, request: ToolRequest, version: int | None, rollout_id: str) -> str | None:
        async with self._pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            planned = await plan_order(
                connection, self._log, request.tool, version, self._stages, actor=ACTOR, rollout_id=rollout_id
            )
        if isinstance(planned, Refused):
            # Another process may have planned it meanwhile; then it is there.
            return None if rollout_id in (await read_fleet(self._log)).plans else planned.why
        return None

    async def _apply(self, request: ToolRequest, rollout_id: str) -> str | None:
        async with self._pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            done = await apply_plan(connection, self._log, rollout_id, reason=request.reason, actor=ACTOR)
        match done:
            case Refused(why):
                return why
            case PlanChanged(share):
                again = f"to start it all the same: tool-sync rollout plan {request.tool}@…, and apply"
                return f"{share:.0%} of the clinics changed between plan and start; {again}"
            case _:
                return None

    async def _refuse(self, request: ToolRequest, problems: Sequence[str], *, unless_checked: bool = False) -> None:
        if await tool_requests.refuse(self._pool, request, problems, unless_checked=unless_checked):
            log.warning("Request by SQL is refused", request=request.id, tool=request.tool, problems=len(problems))


def _hours(age: timedelta) -> str:
    hours = round(age.total_seconds() / 3600)
    return "an hour" if hours == 1 else f"{hours} hours"
