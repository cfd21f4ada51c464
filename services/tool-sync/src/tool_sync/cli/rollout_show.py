"""What a rollout looks like: its plan, the list, how far it is, and a line each time that it has gone on."""

import asyncio
from collections.abc import Iterator
from dataclasses import asdict
from textwrap import wrap
from typing import Any, Final

from tool_sync.cli.connected import NotFound
from tool_sync.cli.options import EXIT_FOUND
from tool_sync.cli.output import COLUMNS, entry, show, utc
from tool_sync.db import Connection
from tool_sync.domain.fleet import Fleet, Order
from tool_sync.domain.fleet.rollout import Refused
from tool_sync.domain.fleet.work import Tally, Work
from tool_sync.queries.as_of import fleet_of
from tool_sync.rollouts.applying import find_rollout
from tool_sync.rollouts.plan import Planned
from tool_sync.rollouts.status import RolloutStatus, status_of
from tool_sync.rollouts.turns import is_settled

FOLLOW_SECONDS: Final = 0.5

_ROWS: Final[tuple[tuple[Work, str], ...]] = (
    ("update", "update in place (PATCH /tool)"),
    ("add", "get the tool (POST /tool, link)"),
    ("remove", "lose the tool (unlink)"),
    ("already", "already so"),
    ("left", "left as they are, by setting, tier or contract"),
    ("refused", "blocked: Vapi refused this definition"),
    ("unused", "without an assistant: with their first save"),
)


def plan_document(planned: Planned, per_minute: int | None) -> dict[str, Any]:
    """The plan for a script."""
    counts = planned.tally.counts
    return {
        **asdict(planned.event),
        "clinics": planned.tally.clinics,
        "assistants": planned.tally.assistants,
        "stage_clinics": [sum(stage.clinics.values()) for stage in planned.stages],
        "outside": planned.outside,
        "floor_seconds": None if per_minute is None else counts.calls / per_minute * 60,
    }


def plan_lines(planned: Planned, per_minute: int | None) -> Iterator[str]:
    """The plan for people, at 80 columns."""
    order, tally = planned.order, planned.tally
    target = "none" if order.version is None else str(order.version)
    yield from _folded(f"{order.tool} -> {target}    rollout {order.rollout_id}")
    yield f"{'':48}{'clinics':>10}{'assistants':>12}"
    for work, words in _ROWS:
        if tally.clinics[work]:
            yield f"  {words:46}{tally.clinics[work]:>10,}{tally.assistants[work]:>12,}"
    yield from _folded(f"  stages  {_stages(planned)}")
    if planned.outside:
        yield f"  {planned.outside:,} clinics are of no stage"
    yield f"  {tally.calls:,} calls of Vapi's{_floor(tally, per_minute)}"
    yield f"  plan {planned.digest}, as of position {planned.as_of:,}; nothing was sent"


def _folded(line: str) -> list[str]:
    return wrap(line, COLUMNS, subsequent_indent="          ", break_on_hyphens=False)


def _stages(planned: Planned) -> str:
    parts = []
    for stage, tally in zip(planned.order.stages, planned.stages, strict=True):
        bake = f", bake {stage.bake_seconds // 60} min" if stage.bake_seconds else ""
        parts.append(f"{stage.name}: {sum(tally.clinics.values()):,}{bake}")
    return " -> ".join(parts)


def _floor(tally: Tally, per_minute: int | None) -> str:
    if per_minute is None:
        return "; no limit of the key's rate is set"
    seconds = round(tally.calls / per_minute * 60)
    return f"; floor at {per_minute:,}/min {seconds // 60} min {seconds % 60} s"


async def show_rollouts(connection: Connection, *, as_json: bool) -> int:
    """Print all; returns the exit status."""
    fleet = await fleet_of(connection)
    orders = sorted((order for orders in fleet.orders.values() for order in orders), key=lambda order: -order.position)
    found = [await status_of(connection, fleet, order) for order in orders]
    plans = [{**asdict(plan), "planned_at": at} for plan, at in fleet.plans.values()]
    show("rollout list", {"rollouts": found, "plans": plans}, _list_lines(found, fleet), as_json=as_json)
    return 0


def _list_lines(found: list[RolloutStatus], fleet: Fleet) -> Iterator[str]:
    for one in found:
        yield from _status_lines(one)
    for plan, at in fleet.plans.values():
        target = "none" if plan.version is None else plan.version
        yield from entry(f"{plan.rollout_id}: {plan.tool} -> {target}", (("planned", utc(at)), ("plan", plan.digest)))
    yield f"{len(found)} rollout(s), {len(fleet.plans)} plan(s)"


async def show_status(connection: Connection, text: str, *, as_json: bool) -> int:
    """Print one; returns the exit status."""
    fleet = await fleet_of(connection)
    found = await status_of(connection, fleet, _order(fleet, text))
    show("rollout status", found, _status_lines(found), as_json=as_json)
    return 0


def _order(fleet: Fleet, text: str) -> Order:
    found = find_rollout(fleet, text)
    if isinstance(found, Refused):
        raise NotFound(found.why)
    order = fleet.order(found)
    if order is None:
        raise NotFound(f"rollout {found} is planned; apply starts it")
    return order


def _status_lines(one: RolloutStatus) -> Iterator[str]:
    fields = (
        ("state", one.state.replace("_", " ")),
        ("stage", f"{one.stage} of {one.stages}, {one.stage_name}"),
        ("clinics", f"{one.clinics:,}"),
        ("refused", one.refused or None),
        ("waits", one.waits),
        ("started", utc(one.started_at)),
        ("reason", one.reason),
    )
    target = "none" if one.version is None else one.version
    yield from entry(f"{one.rollout_id}: {one.tool} -> {target}", fields)


async def follow_rollout(connection: Connection, text: str, *, until_settled: bool = False) -> int:
    """Print a line each time that something has changed, until it is over; returns the exit status.

    ``until_settled``: until every clinic is as decided, whatever the state of the rollout.
    """
    said = ""
    while True:
        fleet = await fleet_of(connection)
        order = _order(fleet, text)
        one = await status_of(connection, fleet, order)
        line = f"stage {one.stage} of {one.stages} ({one.stage_name})  {one.clinics:,} clinics"
        line += f"  {one.refused:,} refused" if one.refused else ""
        line += f"  {one.waits}" if one.waits else ""
        if line != said:
            print(line, flush=True)
            said = line
        is_over = one.state not in ("running", "paused")
        if is_over and (not until_settled or await is_settled(connection, order.tool, fleet.changed_at[order.tool])):
            print(f"rollout {one.rollout_id} is {one.state.replace('_', ' ')}")
            return 0 if one.state == "completed" or until_settled else EXIT_FOUND
        await asyncio.sleep(FOLLOW_SECONDS)
