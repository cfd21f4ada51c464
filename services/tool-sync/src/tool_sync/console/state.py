"""What the pages are made with: the database, and what a console keeps in its process."""

from collections import OrderedDict
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from fastapi import Request

from tool_sync.console.causes import Counts
from tool_sync.console.glances import Glances
from tool_sync.console.process import Process
from tool_sync.console.session import Sealer
from tool_sync.db import Connection
from tool_sync.http.access import reading
from tool_sync.http.state import state_of
from tool_sync.queries.held import HeldCount
from tool_sync.rollouts.plan import Planned

PLANS_KEPT_MAX: Final = 16


class CountedPlans:
    """The newest plans that this process has counted, so that a plan's page need not count every clinic again."""

    def __init__(self) -> None:
        self._plans: OrderedDict[str, Planned] = OrderedDict()

    def keep(self, planned: Planned) -> None:
        """In the place of the oldest one."""
        self._plans[planned.order.rollout_id] = planned
        while len(self._plans) > PLANS_KEPT_MAX:
            self._plans.popitem(last=False)

    def get(self, rollout_id: str) -> Planned | None:
        """None where another process has counted it, or this one long ago."""
        return self._plans.get(rollout_id)


@dataclass(frozen=True, slots=True)
class ConsoleState:
    """Held by the app for its pages. ``held`` is the count of what clinics have, ``glances`` what strangers see."""

    sealer: Sealer
    process: Process
    counts: Counts
    held: HeldCount = field(default_factory=HeldCount)
    plans: CountedPlans = field(default_factory=CountedPlans)
    glances: Glances = field(default_factory=Glances)


def console_of(request: Request) -> ConsoleState:
    """That of this console."""
    state = request.app.state.console
    assert isinstance(state, ConsoleState)
    return state


def reads(request: Request, org_id: UUID | None = None) -> AbstractAsyncContextManager[Connection]:
    """Lends a connection that reads for a page: of everything, or as one tenant."""
    return reading(state_of(request), org_id)
