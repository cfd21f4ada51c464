"""What one run knows of its org: the log's state, the rows of its assistants, and what it has seen and taken up.

    steps side by side ──► writer ──► append ──► Knowledge ──► plan ──► run

The writer folds in everything that it has appended, whichever step it was for, before anybody's `write` returns; the
run plans from here. So a plan always knows what the steps beside it have written, and nobody has to be told. Nothing
here awaits: no plan is ever made of half an append.
"""

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Final
from uuid import UUID

from tool_sync.domain.assistants import evolve_assistant
from tool_sync.domain.commands import Command
from tool_sync.domain.events import SyncRequested, ToolsetEvent, ids_of
from tool_sync.domain.evolve import evolve
from tool_sync.domain.fleet import Fleet
from tool_sync.domain.pauses import brought_forward
from tool_sync.domain.plan import next_steps
from tool_sync.domain.plan.assistants import agents_of, agents_with_work
from tool_sync.domain.plan.situation import ObservedLink, OrgWide, RunProgress, Situation
from tool_sync.domain.plan.steps import Plan
from tool_sync.domain.plan.tools import target_of
from tool_sync.domain.subject import Subject
from tool_sync.domain.toolset import Assistant, Recorded, Toolset
from tool_sync.domain.wanted import Wanted, wanted_of
from tool_sync.sync.context import Context
from tool_sync.sync.load import LoadedOrg

PAGE_AGENTS: Final = 32
"""Assistants with work that are looked at together: what a plan costs does not grow with what is open in the org."""
FRESH_SECONDS: Final = 1.0
"""For so long after it was read a run decides about tools; a slow answer of Vapi's takes longer than an order may."""


class Knowledge:
    """``state`` is what the log says, as far as this run has read and written it; ``loaded_through`` what was read."""

    def __init__(self, context: Context, org_id: UUID, loaded: LoadedOrg) -> None:
        self.state, self.fleet, self.loaded_through = loaded.state, loaded.fleet, loaded.state.position
        self.progress = RunProgress()
        self.is_behind = False
        self.reloads = 0
        self._context = context
        self._org_id = org_id
        self._assistants: dict[str, Assistant] = {}
        self._looked_at: set[str] = set()
        self._taken_up: set[str] = set()
        self._read_at = context.clock.monotonic()
        self._wanted: tuple[Toolset, Fleet, Wanted] | None = None

    @property
    def is_old(self) -> bool:
        """Whether something else may have been ordered since the state was read: it is read again before that."""
        return self._context.clock.monotonic() - self._read_at > FRESH_SECONDS

    @property
    def wanted(self) -> Wanted:
        """What the org is to have, as the state is now."""
        return self._wanted_of(self.state)

    def _wanted_of(self, state: Toolset) -> Wanted:
        """Asked several times for one state, and the same then: time matters to change windows alone."""
        known = self._wanted
        if known is None or known[0] is not state or known[1] is not self.fleet or state.window is not None:
            found = wanted_of(state, self.fleet, self._org_id, self._context.clock.now())
            known = self._wanted = (state, self.fleet, found)
        return known[2]

    def plan(self) -> Plan:
        """What to do next."""
        return self._plan(self.state, self._assistants)

    def follow_up(self, state: Toolset, events: Sequence[ToolsetEvent]) -> Sequence[Command]:
        """The decisions that follow at once from a state to which these events lead: they go into the same append."""
        return self._plan(state, ChainMap(self._changed(events), self._assistants)).commands

    def _plan(self, state: Toolset, assistants: Mapping[str, Assistant]) -> Plan:
        return next_steps(
            Situation(
                self._due_by_now(state),
                assistants,
                self._wanted_of(state),
                self._context.clock.now(),
                self._context.policy,
                self.progress,
                self._context.vapi.account,
                self._context.key.known.pauses,
            )
        )

    def _due_by_now(self, state: Toolset) -> Toolset:
        return brought_forward(state, self._context.key.known.lifted_at, self._context.policy.look_again)

    def written(self, first_position: int, recorded_at: datetime, events: Sequence[ToolsetEvent]) -> None:
        """These events are in the log."""
        for position, event in enumerate(events, first_position):
            self.state = evolve(self.state, Recorded(position, recorded_at, event))
        self._assistants.update(self._changed(events))

    def reloaded(self, loaded: LoadedOrg) -> None:
        """The state was read again, as somebody else has written: what this run has seen may be otherwise by now."""
        self.state, self.fleet, self.loaded_through = loaded.state, loaded.fleet, loaded.state.position
        self.is_behind = False
        self.reloads += 1
        self._read_at = self._context.clock.monotonic()
        # Rows as well: what another worker has linked is in a row, and an older one would make its write look foreign.
        self._assistants.clear()
        self._looked_at.clear()
        self._taken_up.clear()
        # Steps at work stay at work: they end in this run whatever was read, and none may start twice.
        self.progress = RunProgress(busy=self.progress.busy, page=self.progress.page)

    def take_in(self, rows: Mapping[str, Assistant]) -> None:
        """Rows are read after the state. One that names another assistant than the newest save in the state is of a
        save that has arrived between the two: what comes of that assistant would be taken for another's."""
        self._assistants.update(rows)
        for agent_id, row in rows.items():
            requests = self.state.open_requests.get(agent_id)
            newest = requests[-1].asked if requests else None
            if isinstance(newest, SyncRequested) and newest.assistant_id != row.assistant_id:
                self.is_behind = True

    def unknown_agents(self) -> list[str]:
        """The assistants that a plan looks at and whose rows have not been read."""
        due = agents_of(self._due_by_now(self.state), self._context.clock.now(), self.progress)
        return [agent_id for agent_id in due if agent_id not in self._assistants]

    def turn_page(self) -> bool:
        """Go on to the next assistants with work; False where this run has looked at all of them."""
        due = agents_with_work(self._due_by_now(self.state), self._context.clock.now())
        page = tuple(islice((agent_id for agent_id in due if agent_id not in self._looked_at), PAGE_AGENTS))
        self._looked_at.update(page)
        self.progress = replace(self.progress, page=page, seen={})
        # An org of 5,000 assistants is worked through with the rows of one page in memory.
        for agent_id in self._assistants.keys() - set(page):
            del self._assistants[agent_id]
        return bool(page)

    def at_work(self, subjects: frozenset[Subject]) -> None:
        """Steps on exactly these subjects are under way."""
        if subjects != self.progress.busy:
            self.progress = replace(self.progress, busy=subjects)

    def observed(self, seen: Mapping[str, ObservedLink], ended: Sequence[Subject]) -> None:
        """Steps have ended; ``seen`` is what they saw of assistants, by agent."""
        if seen or self.progress.busy:
            busy = self.progress.busy.difference(ended)
            self.progress = replace(self.progress, seen={**self.progress.seen, **seen}, busy=busy)

    def passed_over(self) -> set[str]:
        """The assistants that this run has taken up for the tools as they are now; with other tools, none."""
        before = self.progress.org_wide
        if before is not None and ids_of(before.target) != ids_of(target_of(self.state, self.wanted.tools)):
            self._taken_up.clear()  # a tool has come since: all of them lack it
        elif before is not None:
            self._taken_up |= before.agents
        return self._taken_up

    def looked_org_wide(self, found: OrgWide, rows: Mapping[str, Assistant]) -> None:
        """The next page of assistants that are not as wanted; a row that is known already is the newer one."""
        self.take_in({agent_id: row for agent_id, row in rows.items() if agent_id not in self._assistants})
        self.progress = replace(self.progress, org_wide=found)

    def _changed(self, events: Sequence[ToolsetEvent]) -> dict[str, Assistant]:
        """The rows that these events change."""
        changed: dict[str, Assistant] = {}
        for event in events:
            agent_id = getattr(event, "agent_id", None)
            row = None if agent_id is None else changed.get(agent_id) or self._assistants.get(agent_id)
            if agent_id is not None and row is not None:
                changed[agent_id] = evolve_assistant(row, event)
        return changed
