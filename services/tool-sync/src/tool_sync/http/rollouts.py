"""``/v1/rollouts``: plan an order, apply it, look at it and command it, as the platform.

A plan is kept and does nothing. Whoever sends a command twice is told the state that the first one made: 409.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from tool_sync.domain.events import RolloutStage
from tool_sync.domain.fleet import Fleet, Order
from tool_sync.domain.fleet.progress import ClinicState
from tool_sync.domain.fleet.rollout import RolloutCommand
from tool_sync.http.access import PlatformCaller, actor_of, reading
from tool_sync.http.body import read_model
from tool_sync.http.commands import (
    READ_ANSWERS,
    REASON,
    Command,
    installed,
    require_tool,
    takes,
    unless_refused,
    writing,
)
from tool_sync.http.orders import PLAN, PlanBody, PlanShown, org_asked, stages_asked
from tool_sync.http.problems import Problem
from tool_sync.http.state import state_of
from tool_sync.queries.as_of import fleet_of
from tool_sync.rollouts import operating
from tool_sync.rollouts.applying import PlanChanged, apply_plan, plan_order
from tool_sync.rollouts.clinics import ClinicsPage, Retried, clinics_of, retry_clinics
from tool_sync.rollouts.finding import require_rollout
from tool_sync.rollouts.plan import Planned
from tool_sync.rollouts.status import KeptPlan, RolloutStatus, plans_of, status_of, statuses_of
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.auth import Platform

PLAN_BYTES_MAX: Final = 100_000
"""Of a plan that names its stages; a thousand clinics fit in."""
LIMIT_DEFAULT: Final = 100
LIMIT_MAX: Final = 500

router = APIRouter(prefix="/v1/rollouts", tags=["rollouts"], responses=READ_ANSWERS)

RolloutId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,80}$", description="The rollout's whole id.")]
Commanded = Literal["pause", "resume", "promote", "abort", "rollback"]


class ApplyBody(Command):
    """Start a plan."""

    plan_hash: str = Field(max_length=64, description="The digest of the plan that was looked at.")


class RetryBody(Command):
    """Try clinics again."""

    org_id: str | None = Field(default=None, max_length=36, description="Only this clinic.")


@dataclass(frozen=True, slots=True)
class RolloutList:
    """Every order, newest first, and the plans that were not applied."""

    rollouts: tuple[RolloutStatus, ...]
    plans: tuple[KeptPlan, ...]


@router.post("", status_code=201, response_model=PlanShown, summary="Plan a rollout", **takes(PlanBody, PLAN))
async def plan_rollout(request: Request, response: Response, caller: PlatformCaller) -> dict[str, Any]:
    """Count every clinic, by what would become of it, and keep the plan. Nothing is sent until it is applied."""
    body = await read_model(request, PlanBody, PLAN_BYTES_MAX)
    planned = await plan(request, caller, body.tool, body.version, stages_asked(body))
    response.headers["Location"] = f"/v1/rollouts/{planned.order.rollout_id}"
    return planned.document(installed(request).calls_per_minute)


@router.get("", summary="List the rollouts")
async def list_rollouts(request: Request, _caller: PlatformCaller) -> RolloutList:
    """Every order, newest first, with what it waits for, and the plans that were not applied."""
    async with reading(state_of(request), None) as connection:
        fleet = await fleet_of(connection)
        return RolloutList(await statuses_of(connection, fleet), plans_of(fleet))


@router.get("/{rollout_id}", summary="Show how far a rollout has come")
async def show_rollout(request: Request, rollout_id: RolloutId, _caller: PlatformCaller) -> RolloutStatus | KeptPlan:
    """Its state and whose word that was, its stage, how many clinics have it, and what it waits for; or the plan."""
    return await _shown(request, rollout_id)


@router.get("/{rollout_id}/orgs", summary="List the clinics of a rollout, and what each waits for")
async def list_orgs(
    request: Request,
    rollout_id: RolloutId,
    _caller: PlatformCaller,
    state: Annotated[ClinicState | None, Query(description="Only clinics that have come so far.")] = None,
    after: Annotated[UUID | None, Query(description="The previous page's `next_after`.")] = None,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT,
) -> ClinicsPage:
    """By id. Where few clinics match, a page may be short or empty: go on until `next_after` is null."""
    async with reading(state_of(request), None) as connection:
        fleet = await fleet_of(connection)
        order = order_of(fleet, rollout_id)
        return await clinics_of(connection, fleet, order, state=state, after=after, limit=limit)


@router.post(
    "/{rollout_id}/apply", summary="Start a planned rollout", **takes(ApplyBody, REASON | {"plan_hash": "c66fc06b"})
)
async def apply_rollout(request: Request, rollout_id: RolloutId, caller: PlatformCaller) -> RolloutStatus | KeptPlan:
    """409 with the new plan where more than 5 % of its clinics have changed since."""
    body = await read_model(request, ApplyBody)
    await apply(request, caller, rollout_id, reason=body.reason, digest=body.plan_hash)
    return await _shown(request, rollout_id)


@router.post("/{rollout_id}/retry", summary="Try the clinics again that Vapi did not take", **takes(RetryBody))
async def retry_rollout(request: Request, rollout_id: RolloutId, caller: PlatformCaller) -> Retried:
    """Those whose tool Vapi refused, or whose newest try failed, now and whatever they wait for."""
    body = await read_model(request, RetryBody)
    org_id = None if body.org_id is None else org_asked(body.org_id)
    return await retry(request, caller, rollout_id, org_id, reason=body.reason)


@router.post(
    "/{rollout_id}/{command}", summary="Pause, resume, promote, abort or roll back a rollout", **takes(Command)
)
async def command_rollout(
    request: Request, rollout_id: RolloutId, command: Commanded, caller: PlatformCaller
) -> RolloutStatus | KeptPlan:
    """Answers what became of it. `rollback` takes the order away: every clinic gets what it would have without it."""
    body = await read_model(request, Command)
    await command_order(request, caller, rollout_id, command, reason=body.reason)
    return await _shown(request, rollout_id)


async def plan(
    request: Request, caller: Platform, tool: str, version: int | None, stages: tuple[RolloutStage, ...]
) -> Planned:
    """Plan an order and keep the plan. Raises problems, `UnknownTool` and `UnknownVersion`."""
    async with writing(request) as (connection, log):
        require_tool(await fleet_of(connection), tool, version)
        return unless_refused(await plan_order(connection, log, tool, version, stages, actor=actor_of(caller)))


async def apply(request: Request, caller: Platform, rollout_id: str, *, reason: str, digest: str) -> None:
    """Start a plan. Raises problems and `UnknownRollout`."""
    async with writing(request) as (connection, log):
        require_rollout(await fleet_of(connection), rollout_id)
        done = unless_refused(
            await apply_plan(connection, log, rollout_id, reason=reason, digest=digest, actor=actor_of(caller))
        )
    if isinstance(done, PlanChanged):
        detail = f"{done.share:.0%} of the plan's clinics have changed since: plan it anew"
        now = done.now.document(installed(request).calls_per_minute)
        raise Problem(409, ErrorCode.INVALID_REQUEST, detail, plan=now)


async def retry(request: Request, caller: Platform, rollout_id: str, org_id: UUID | None, *, reason: str) -> Retried:
    """Try clinics again. Raises problems and `UnknownRollout`."""
    async with writing(request) as (connection, log):
        fleet = await fleet_of(connection)
        order = order_of(fleet, rollout_id)
        return unless_refused(
            await retry_clinics(connection, log, fleet, order, org_id=org_id, reason=reason, actor=actor_of(caller))
        )


async def command_order(
    request: Request, caller: Platform, rollout_id: str, what: RolloutCommand, *, reason: str
) -> None:
    """Command a rollout. Raises problems and `UnknownRollout`."""
    async with writing(request) as (connection, log):
        require_rollout(await fleet_of(connection), rollout_id)
        unless_refused(await operating.command_rollout(log, rollout_id, what, reason=reason, actor=actor_of(caller)))


async def _shown(request: Request, rollout_id: str) -> RolloutStatus | KeptPlan:
    async with reading(state_of(request), None) as connection:
        fleet = await fleet_of(connection)
        order = fleet.order(require_rollout(fleet, rollout_id))
        if order is not None:
            return await status_of(connection, fleet, order)
    return next(plan for plan in plans_of(fleet) if plan.rollout_id == rollout_id)


def order_of(fleet: Fleet, rollout_id: str) -> Order:
    """An order that was started. Raises a 409 problem for a plan, and `UnknownRollout`."""
    order = fleet.order(require_rollout(fleet, rollout_id))
    if order is None:
        raise Problem(409, ErrorCode.INVALID_REQUEST, f"rollout {rollout_id} is planned; apply starts it")
    return order
