"""One crash run in a cell: arm, let the flow pass, let the process fail, bring it back, wait for rest, look.

KILL: SIGKILL, and the harness starts the process anew at once. STOP: SIGSTOP, and SIGCONT after longer than the lease,
the settle time and the relay's idle limit, so that it wakes as a zombie. CUT: the connection of that call is lost.
"""

import asyncio
import signal
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.crash import flows
from tests.crash.cell import KEY, SERVICE_OF, Agent, Cell
from tests.crash.points import COMMANDS, POLLED, SLOW, CrashRun
from tests.crash.rest import at_rest
from tests.faults.hub import Process

AGENTS_PER_RUN: Final = 4
STOP_SECONDS: Final = 3.5
STOP_KAFKA_SECONDS: Final = 7.5
"""Above the session time of the group: its partitions are somebody else's when it wakes."""
KAFKA_PORTS: Final = frozenset({"getmany", "commit"})
ARM_SECONDS: Final = 20.0
REACH_SECONDS: Final = 4.0
TRIES: Final = 3
REST_SECONDS: Final = 40.0


@dataclass(slots=True)
class Result:
    """What became of a run. ``fired`` is False where the process never came to the point."""

    run: CrashRun
    cell: str
    fired: int = 0
    saves: int = 0
    rest_seconds: float = 0.0
    seconds: float = 0.0
    violations: list[str] = field(default_factory=list)


async def crash(cell: Cell, run: CrashRun) -> Result:
    """Do one run."""
    result, began = Result(run, cell.name), time.monotonic()
    if run.service == COMMANDS:
        cell.operator_point = run.point
    targets = {name: cell.processes[name] for name, service in SERVICE_OF.items() if service == run.service}
    handling = {name: asyncio.create_task(_when_fired(cell, name, run)) for name in targets}
    orgs: set[str] = set()
    for _ in range(TRIES):
        agents = flows.new_agents(AGENTS_PER_RUN) if run.flow == "create" else _next(cell)
        orgs |= {agent.org_id for agent in agents}
        await _prepare(cell, run, agents)
        if targets:
            await _arm(run, targets.values())
        flow = asyncio.create_task(flows.FLOWS[run.flow](cell, agents))
        if run.service == COMMANDS:
            await flow
            result.fired += cell.operator_point is None
            break
        if await _any_fired(targets.values(), flow):
            break
    await _disarm(targets.values())
    for name, process in targets.items():
        if process.fired.is_set():
            result.fired += 1
        else:
            handling.pop(name).cancel()
    await asyncio.gather(flow, *handling.values())
    for process in targets.values():
        process.fired.clear()
    seen, result.rest_seconds = await at_rest(cell, orgs, REST_SECONDS)
    result.saves, result.seconds = seen.saved.total(), time.monotonic() - began
    if seen.under_way:
        result.violations.append(f"not at rest within {REST_SECONDS:g} s: {seen.under_way}")
    result.violations += [f"request {name} has {n} outcomes" for name, n in seen.settled.items() if n > 1]
    result.violations += [f"a save failed with {code}" for code in seen.failed]
    await _check_processes(cell, result)
    if run.lost_answer or run.point.port in SLOW:
        await cell.dial()
    return result


def _next(cell: Cell) -> Sequence[Agent]:
    """The agents that have rested longest."""
    chosen, cell.agents = cell.agents[:AGENTS_PER_RUN], cell.agents[AGENTS_PER_RUN:]
    cell.agents += chosen
    return chosen


async def _prepare(cell: Cell, run: CrashRun, agents: Sequence[Agent]) -> None:
    rules: list[dict[str, Any]] = []
    if run.lost_answer is not None:
        action = {"kind": "reset", "commit": True}
        match = {"key": KEY}  # not what somebody else sends
        rules = [{"route": run.lost_answer, "times": len(agents), "match": match, "action": action}]
    elif run.point.port in SLOW:
        action = {"kind": "delay", "latency_ms": 800}
        rules = [{"route": route, "action": action} for route in ("POST /tool", "GET /assistant/{id}")]
    if rules:
        await cell.dial(rules=rules)


async def _arm(run: CrashRun, processes: Collection[Process]) -> None:
    for process in processes:
        if not process.fired.is_set():
            await process.arm(run.point)
    if run.point.port in POLLED:
        return  # they may come to the point before they say that it is armed
    said = [asyncio.create_task(_first_of(process.armed, process.ended)) for process in processes]
    _, silent = await asyncio.wait(said, timeout=ARM_SECONDS)
    for task in silent:
        task.cancel()
    assert not silent, f"a process passed no port for {ARM_SECONDS:g} s: {[p.name for p in processes]}"


async def _first_of(*events: asyncio.Event, timeout_seconds: float | None = None) -> None:
    """Return when one of the events has happened, or the time is up."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=timeout_seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


async def _any_fired(processes: Collection[Process], flow: "asyncio.Task[None]") -> bool:
    """Wait for the first process that comes to the point: for a while, and for as long as the flow lasts."""
    firing = [asyncio.create_task(process.fired.wait()) for process in processes]
    try:
        await asyncio.wait(firing, timeout=REACH_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        # A client that waits for a process that has just been killed would wait in vain.
        await asyncio.wait([*firing, flow], return_when=asyncio.FIRST_COMPLETED)
        return any(process.fired.is_set() for process in processes)
    finally:
        for task in firing:
            task.cancel()


async def _disarm(processes: Collection[Process]) -> None:
    """When this returns, no process will come to the point any more; one may just have."""
    waiting = [process for process in processes if not process.fired.is_set()]
    for process in waiting:
        await process.arm(None)
    for process in waiting:
        await _first_of(process.armed, process.fired, process.ended, timeout_seconds=REACH_SECONDS)


async def _when_fired(cell: Cell, name: str, run: CrashRun) -> None:
    """What the harness has to do about a process that comes to the point."""
    process, point = cell.processes[name], run.point
    await process.fired.wait()
    stopped = point.action == "STOP"
    cell.ledger.fault(f"{point.action} at a port", name, pause=stopped, detail=f"{point.when} {point.port}")
    if point.action == "KILL":
        await process.ended.wait()
        await cell.start(name)
    elif stopped:
        cell.pauses += 1
        await asyncio.sleep(STOP_KAFKA_SECONDS if point.port in KAFKA_PORTS else STOP_SECONDS)
        process.signal(signal.SIGCONT)


async def _check_processes(cell: Cell, result: Result) -> None:
    """Nobody may have ended but those that were killed; whoever has is started anew, as its container would be."""
    for name, process in tuple(cell.processes.items()):
        if process.ended.is_set():
            result.violations.append(f"{name} ended by itself with status {process.status}; see {process.log}")
            await cell.start(name)
