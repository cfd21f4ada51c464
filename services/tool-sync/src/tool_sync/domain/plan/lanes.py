"""Which steps somebody waits for who pressed save; everything else is bulk work, also in an org with an open save.

a link                       where its assistant has an open save
a tool's step                where any save of the org is open: its link waits for all tools; and where the clinic has
                             worded its tool anew
what became of a write       as the write's own step
all of an org                while a tool is taken from everybody: its callers wait for nothing else
sweeps and searches          never: they run when nothing else is due
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from tool_sync.domain.events import SyncRequested
from tool_sync.domain.evolve.org import CAUSE_HALT
from tool_sync.domain.plan.steps import SearchSurplus, Step, SweepTools, UpdateTool
from tool_sync.domain.subject import Subject, agent_of, is_tool
from tool_sync.domain.toolset import Request, Toolset

CAUSE_BULK: Final = "auto_sync"


def in_lanes(steps: Sequence[Step], state: Toolset) -> tuple[Step, ...]:
    """The same steps, those of saves first."""
    saves, bulk = list[Step](), list[Step]()
    for step in steps:
        if _is_waited_for(step, state):
            saves.append(replace(step, lane="save"))
        else:
            bulk.append(step)
    return (*saves, *bulk)


def _is_waited_for(step: Step, state: Toolset) -> bool:
    if isinstance(step, SweepTools | SearchSurplus):
        return False
    return (isinstance(step, UpdateTool) and _is_worded_anew(step, state)) or _serves_save(step.subject, state)


def _is_worded_anew(step: UpdateTool, state: Toolset) -> bool:
    is_same = step.tool.definition_hash == step.current.definition_hash
    return is_same and state.overlays.get(step.tool.name, ()) != step.tool.overlay


def has_save(requests: Iterable[Request]) -> bool:
    """Whether one of these requests is a save."""
    asked = (request.asked for request in requests)
    return any(not isinstance(each, SyncRequested) or each.cause != CAUSE_BULK for each in asked)


def _serves_save(subject: Subject, state: Toolset) -> bool:
    if state.org_wide_cause == CAUSE_HALT:
        return True
    if (agent_id := agent_of(subject)) is not None:
        return has_save(state.open_requests.get(agent_id, ()))
    return is_tool(subject) and any(map(has_save, state.open_requests.values()))
