"""*Rollouts*: how far each has come, what it waits for, its clinics, and what is done about it.

The list and the bars cost the fleet, four small statements for each rollout that is shown, and the count that the
process keeps. A plan that another process has counted is counted again: 1.1 s beside 100,000 clinics. The clinics of a
rollout are walked over, at most 20,000 of them for a page.
"""

import shlex
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, Response

from tool_sync.console.access import FormRefused, PlatformPage, own_form, reason_of
from tool_sync.console.ordering import plan_and_show
from tool_sync.console.pages import fragment, page, see_other
from tool_sync.console.state import console_of, reads
from tool_sync.db import Connection
from tool_sync.domain.fleet import Fleet, Order
from tool_sync.domain.fleet.progress import CLINIC_STATES, ClinicState
from tool_sync.domain.fleet.rollout import LEGAL, RolloutCommand
from tool_sync.http.commands import installed
from tool_sync.http.orders import org_asked
from tool_sync.http.problems import Problem
from tool_sync.http.rollouts import RolloutId, apply, command_order, order_of, retry
from tool_sync.queries.as_of import fleet_of
from tool_sync.queries.display_names import names_of
from tool_sync.queries.planned_work import planned_work
from tool_sync.rollouts.clinics import clinics_of
from tool_sync.rollouts.finding import require_rollout
from tool_sync.rollouts.plan import make_plan
from tool_sync.rollouts.plan_lines import plan_lines
from tool_sync.rollouts.stage_rows import stage_rows
from tool_sync.rollouts.status import RolloutStatus, newest_first, plans_of, state_text, status_of
from zerotouch_platform.auth import Platform

ROLLOUTS_SHOWN: Final = 10
PLANS_SHOWN: Final = 20
CLINICS_SHOWN: Final = 50
WORDS_CHARACTERS_SHOWN: Final = 300

router = APIRouter()

Before = Annotated[int | None, Query(ge=1, le=2**63 - 1)]
Sent = Literal["pause", "resume", "promote", "abort", "rollback", "apply", "retry", "again"]


@dataclass(frozen=True, slots=True)
class CommandOffered:
    """Something that can be done now, and what it does."""

    command: RolloutCommand
    title: str
    does: str
    is_dangerous: bool = False


_CHOICES: Final = (
    CommandOffered("pause", "Pause", "No further clinic gets it. Who has it keeps it, and it can be resumed."),
    CommandOffered("resume", "Resume", "It goes on where it stopped."),
    CommandOffered(
        "promote",
        "Promote",
        "Opens the next stage now, whatever its gate says; where the last one is open, completes the rollout.",
        is_dangerous=True,
    ),
    CommandOffered(
        "abort", "Abort", "Ends it as it is: no further clinic gets it, who has it keeps it.", is_dangerous=True
    ),
    CommandOffered(
        "rollback", "Roll back", "Takes it back: every clinic gets what it would have without it.", is_dangerous=True
    ),
)


@dataclass(frozen=True, slots=True)
class Bar:
    """How far a rollout is: ``done`` of ``total`` clinics; ``total`` is None where nobody has planned it."""

    status: RolloutStatus
    says: str
    done: int
    total: int | None
    counted_at: datetime


@router.get("/rollouts")
async def get_rollouts(request: Request, caller: PlatformPage, before: Before = None) -> HTMLResponse:
    """The newest ones, or those before a position of the log; and the plans that were not applied."""
    async with reads(request) as connection:
        fleet = await fleet_of(connection)
        orders, more = _shown(fleet, before)
        bars = await _bars(request, connection, fleet, orders)
    plans = plans_of(fleet)[::-1][:PLANS_SHOWN] if before is None else ()
    return page(
        request, "rollouts", caller, command="tool-sync rollout list", bars=bars, plans=plans, more=more, before=before
    )


@router.get("/rollout-bars")
async def get_bars(request: Request, caller: PlatformPage, before: Before = None) -> HTMLResponse:
    """The list alone, to be loaded again."""
    async with reads(request) as connection:
        fleet = await fleet_of(connection)
        bars = await _bars(request, connection, fleet, _shown(fleet, before)[0])
    return fragment(request, "rollout_bars", caller, bars=bars, before=before)


@router.get("/rollouts/{rollout_id}")
async def get_rollout(
    request: Request, rollout_id: RolloutId, caller: PlatformPage, retried: Annotated[int | None, Query(ge=0)] = None
) -> HTMLResponse:
    """One rollout and what can be done about it; or the plan, which waits for somebody to start it."""
    return await _rollout_page(request, caller, rollout_id, retried=retried)


@router.get("/rollouts/{rollout_id}/bar")
async def get_bar(request: Request, rollout_id: RolloutId, caller: PlatformPage) -> HTMLResponse:
    """How far it is, to be loaded again."""
    async with reads(request) as connection:
        fleet = await fleet_of(connection)
        (bar,) = await _bars(request, connection, fleet, [order_of(fleet, rollout_id)])
    return fragment(request, "rollout_bar", caller, bar=bar)


@router.get("/rollouts/{rollout_id}/orgs")
async def get_clinics(
    request: Request,
    rollout_id: RolloutId,
    caller: PlatformPage,
    state: ClinicState | None = None,
    after: UUID | None = None,
) -> HTMLResponse:
    """Its clinics, by id, and what each waits for. Where few are in a state a page may be empty, and go on."""
    async with reads(request) as connection:
        fleet = await fleet_of(connection)
        order = order_of(fleet, rollout_id)
        found = await clinics_of(connection, fleet, order, state=state, after=after, limit=CLINICS_SHOWN)
        names = await names_of(connection, [(one.org_id, None) for one in found.clinics])
    command = f"tool-sync rollout orgs {shlex.quote(rollout_id)}" + (f" --state {state}" if state else "")
    return page(
        request,
        "rollout_orgs",
        caller,
        command=command,
        order=order,
        clinics=[(one, names[one.org_id, None], (one.words or "")[:WORDS_CHARACTERS_SHOWN]) for one in found.clinics],
        next_after=found.next_after,
        state=state,
        states=CLINIC_STATES,
    )


@router.post("/rollouts/{rollout_id}/{command}")
async def post_rollout(request: Request, rollout_id: RolloutId, command: Sent, caller: PlatformPage) -> Response:
    """Do something about a rollout, or start a plan."""
    to = f"/rollouts/{rollout_id}"
    try:
        form = await own_form(request)
        if command == "again":
            to = await _plan_again(request, caller, rollout_id)
        else:
            reason, _ = reason_of(form, caller)
            if command == "apply":
                await apply(request, caller, rollout_id, reason=reason, digest=form.get("digest", ""))
            elif command == "retry":
                org_id = org_asked(form["org"].strip()) if form.get("org", "").strip() else None
                done = await retry(request, caller, rollout_id, org_id, reason=reason)
                to += f"?retried={done.clinics}"
            else:
                await command_order(request, caller, rollout_id, command, reason=reason)
    except (FormRefused, Problem) as error:
        return await _rollout_page(request, caller, rollout_id, problem=error)
    return see_other(to)


async def _plan_again(request: Request, caller: Platform, rollout_id: str) -> str:
    """The same order as of now; the path of the new plan."""
    async with reads(request) as connection:
        fleet = await fleet_of(connection)
    if (kept := fleet.plans.get(require_rollout(fleet, rollout_id))) is None:
        raise FormRefused(f"rollout {rollout_id} was started: it is no plan any more", 409)
    plan = kept[0]
    return await plan_and_show(request, caller, plan.tool, plan.version, plan.stages)


async def _rollout_page(
    request: Request,
    caller: Platform,
    rollout_id: str,
    *,
    problem: FormRefused | Problem | None = None,
    retried: int | None = None,
) -> HTMLResponse:
    async with reads(request) as connection:
        fleet = await fleet_of(connection)
        order = fleet.order(require_rollout(fleet, rollout_id))
        if order is None:
            return await _plan_page(request, caller, connection, fleet, rollout_id, problem)
        (bar,) = await _bars(request, connection, fleet, [order])
    return page(
        request,
        "rollout",
        caller,
        command=f"tool-sync rollout status {shlex.quote(rollout_id)}",
        bar=bar,
        order=order,
        stages=stage_rows(order),
        choices=[one for one in _CHOICES if order.state in LEGAL[one.command]],
        can_retry=order.state in ("running", "completed"),
        retried=retried,
        problem=problem,
    )


async def _plan_page(
    request: Request,
    caller: Platform,
    connection: Connection,
    fleet: Fleet,
    rollout_id: str,
    problem: FormRefused | Problem | None,
) -> HTMLResponse:
    plan, planned_at = fleet.plans[rollout_id]
    counted = console_of(request).plans.get(rollout_id)
    if counted is None:
        counted = await make_plan(connection, plan.tool, plan.version, plan.stages, rollout_id)
        console_of(request).plans.keep(counted)
    return page(
        request,
        "plan",
        caller,
        command=f"tool-sync rollout apply {shlex.quote(rollout_id)} --plan {shlex.quote(plan.digest)} --reason TEXT",
        plan=plan,
        planned_at=planned_at,
        counted_at=counted.at,
        is_true=counted.digest == plan.digest,
        lines="\n".join(plan_lines(counted, installed(request).calls_per_minute)),
        problem=problem,
    )


def _shown(fleet: Fleet, before: int | None) -> tuple[list[Order], int | None]:
    """The orders of a page, and behind which position the next one begins."""
    orders = [order for order in newest_first(fleet) if before is None or order.position < before]
    shown = orders[:ROLLOUTS_SHOWN]
    return shown, shown[-1].position if len(orders) > ROLLOUTS_SHOWN else None


async def _bars(request: Request, connection: Connection, fleet: Fleet, orders: list[Order]) -> list[Bar]:
    held = await console_of(request).held.now(connection)
    planned = await planned_work(connection, [order.rollout_id for order in orders])
    bars = []
    for order in orders:
        done = held.clinics_of(order)
        status = await status_of(connection, fleet, order, clinics=done)
        total = planned.get(order.rollout_id)
        bars.append(Bar(status, state_text(status), done, None if total is None else max(total, done), held.at))
    return bars
