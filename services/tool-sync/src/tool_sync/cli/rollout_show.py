"""What a rollout looks like: the list, how far it is, and a line each time that it has gone on."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

from tool_sync.cli.exits import EXIT_FOUND, NotFound
from tool_sync.cli.output import entry, print_line, show, utc
from tool_sync.db import Connection
from tool_sync.domain.fleet import Fleet, Order
from tool_sync.queries.as_of import fleet_of
from tool_sync.rollouts.finding import find_rollout
from tool_sync.rollouts.status import KeptPlan, RolloutStatus, plans_of, state_text, status_of, statuses_of
from tool_sync.rollouts.turns import is_settled

FOLLOW_SECONDS: Final = 0.5


async def show_rollouts(connection: Connection, *, as_json: bool) -> None:
    """Print all."""
    fleet = await fleet_of(connection)
    found, plans = await statuses_of(connection, fleet), plans_of(fleet)
    show("rollout list", {"rollouts": found, "plans": plans}, _list_lines(found, plans), as_json=as_json)


def _list_lines(found: Sequence[RolloutStatus], plans: Sequence[KeptPlan]) -> Iterator[str]:
    for one in found:
        yield from _status_lines(one)
    for plan in plans:
        target = "none" if plan.version is None else plan.version
        fields = (("planned", utc(plan.planned_at)), ("plan", plan.digest))
        yield from entry(f"{plan.rollout_id}: {plan.tool} -> {target}", fields)
    yield f"{len(found)} rollout(s), {len(plans)} plan(s)"


async def show_status(connection: Connection, text: str, *, as_json: bool) -> None:
    """Print one."""
    fleet = await fleet_of(connection)
    found = await status_of(connection, fleet, order_of(fleet, text))
    show("rollout status", found, _status_lines(found), as_json=as_json)


def order_of(fleet: Fleet, text: str) -> Order:
    """An order that was started. Raises `NotFound` and `UnknownRollout`."""
    found = find_rollout(fleet, text)
    order = fleet.order(found)
    if order is None:
        raise NotFound(f"rollout {found} is planned; apply starts it")
    return order


def _status_lines(one: RolloutStatus) -> Iterator[str]:
    fields = (
        ("state", state_text(one)),
        ("stage", f"{one.stage} of {one.stages}, {one.stage_name}"),
        ("clinics", f"{one.clinics:,}"),
        ("refused", one.refused or None),
        ("pinned to another version", one.pinned or None),
        ("waits", one.waits),
        ("windows", one.windows),
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
        order = order_of(fleet, text)
        one = await status_of(connection, fleet, order)
        line = f"stage {one.stage} of {one.stages} ({one.stage_name})  {one.clinics:,} clinics"
        line += f"  {one.refused:,} refused" if one.refused else ""
        line += f"  {one.waits}" if one.waits else ""
        line += f"  {one.windows}" if one.windows else ""
        if line != said:
            print_line(line)
            said = line
        is_over = one.state not in ("running", "paused")
        if is_over and (not until_settled or await is_settled(connection, order.tool, fleet.changed_at[order.tool])):
            print_line(f"rollout {one.rollout_id} is {state_text(one)}")
            return 0 if one.state == "completed" or until_settled else EXIT_FOUND
        await asyncio.sleep(FOLLOW_SECONDS)
