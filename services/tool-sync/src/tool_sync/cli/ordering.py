"""An order from its plan to its end, for commands that ask once in between."""

from dataclasses import dataclass
from uuid import UUID

import typer

from tool_sync.cli.rollout_apply import apply_rollout, keep_plan, read_stages, refuse
from tool_sync.cli.rollout_show import plan_lines
from tool_sync.db import Connection
from tool_sync.domain.fleet.rollout import Refused
from tool_sync.queries.as_of import fleet_of


@dataclass(frozen=True, slots=True)
class Choice:
    """How an order is to be carried out. ``per_minute``: calls, for the forecast alone. ``yes``: nobody is asked."""

    stages: str
    own_orgs: tuple[UUID, ...]
    per_minute: int | None
    reason: str
    yes: bool


async def order_tool(connection: Connection, database_url: str, name: str, version: int | None, choice: Choice) -> int:
    """Plan the order, show it, ask, start it and follow it; returns the exit status."""
    steps = read_stages(choice.stages, choice.own_orgs)
    planned = await keep_plan(connection, database_url, name, version, steps)
    if isinstance(planned, Refused):
        return refuse(planned)
    rollout = planned.order.rollout_id
    print("\n".join(plan_lines(planned, choice.per_minute)))
    if not choice.yes and not _is_wished():
        print(f"to start it later: tool-sync rollout apply {rollout} --reason TEXT")
        return 0
    return await apply_rollout(connection, database_url, rollout, choice.reason, digest=planned.digest, follow=True)


def _is_wished() -> bool:
    """Whether somebody says yes; where nobody can be asked it is no, and the plan is kept."""
    try:
        return typer.confirm("Start it?")
    except typer.Abort:
        print()
        return False


async def enable_tool(connection: Connection, database_url: str, name: str, choice: Choice) -> int:
    """Order the newest version that was not withdrawn; returns the exit status."""
    versions = (await fleet_of(connection)).versions.get(name, {})
    usable = [one.version for one in versions.values() if not one.is_withdrawn]
    if not usable:
        return refuse(
            Refused(f"nobody has published a tool {name}" if not versions else f"{name} has no usable version")
        )
    return await order_tool(connection, database_url, name, max(usable), choice)
