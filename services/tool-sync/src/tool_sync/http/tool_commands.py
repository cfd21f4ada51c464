"""What the platform does to a tool that was published, once: for routes (:mod:`.tools`) and the console's pages."""

from dataclasses import dataclass
from typing import Literal

from fastapi import Request

from tool_sync.domain.fleet import Fleet
from tool_sync.http.access import actor_of, reading
from tool_sync.http.commands import require_tool, unless_refused, writing
from tool_sync.http.state import state_of
from tool_sync.queries.as_of import fleet_of
from tool_sync.rollouts import operating, publish
from tool_sync.rollouts.command import Decide
from tool_sync.rollouts.pins import pinned_to
from tool_sync.rollouts.status import linked
from zerotouch_platform.auth import Platform


@dataclass(frozen=True, slots=True)
class Halted:
    """It is unlinked from so many assistants of so many clinics, with so many calls, ahead of all bulk work."""

    name: str
    clinics: int
    assistants: int
    calls: int


async def fleet_with(request: Request, tool: str, version: int | None = None) -> Fleet:
    """The fleet. Raises `UnknownTool` and `UnknownVersion` where it has no such one."""
    async with reading(state_of(request), None) as connection:
        fleet = await fleet_of(connection)
    require_tool(fleet, tool, version)
    return fleet


async def withdraw(request: Request, caller: Platform, tool: str, version: int, why: str) -> Fleet:
    """Withdraw a version; the fleet after it. Raises a 409 problem where it is given, or clinics are pinned to it."""
    async with reading(state_of(request), None) as connection:
        pinned = await pinned_to(connection, tool, version)
    return await _command(
        request, caller, tool, lambda fleet: publish.withdrawn(fleet, tool, version, why, pinned), version=version
    )


async def halt(request: Request, caller: Platform, tool: str, why: str) -> Halted:
    """Halt a tool, and say what that takes. Raises a 409 problem where it is halted."""
    async with reading(state_of(request), None) as connection:
        clinics, assistants = await linked(connection, tool)
    await _command(request, caller, tool, lambda fleet: publish.halted(fleet, tool, why))
    return Halted(tool, clinics, assistants, operating.calls_of_halt(assistants))


async def resume(request: Request, caller: Platform, tool: str, why: str) -> Fleet:
    """End a halt; the fleet after it. Raises a 409 problem where there is none."""
    return await _command(request, caller, tool, lambda fleet: publish.resumed(fleet, tool, why))


async def set_policy(
    request: Request, caller: Platform, tool: str, policy: Literal["repair", "report"], why: str
) -> Fleet:
    """Say what becomes of drift; the fleet after it. Raises a 409 problem where it is so already."""
    return await _command(request, caller, tool, lambda fleet: publish.drift_policy(fleet, tool, policy, why))


async def _command(
    request: Request, caller: Platform, tool: str, decide: Decide, *, version: int | None = None
) -> Fleet:
    """Write what is decided about a tool; the fleet after it."""
    async with writing(request) as (connection, log):
        require_tool(await fleet_of(connection), tool, version)
        unless_refused(await operating.command_tool(log, tool, decide, actor=actor_of(caller)))
        return await fleet_of(connection)
