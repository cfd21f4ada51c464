"""Makes clinics due whose tool is not as decided: production's rules (`rollouts/feeder.py`) over the simulated tables.

what was published or ordered changed, or an order runs ─► every clinic is looked at ─► differs ─► fed
another definition of a tool that it has        → its lease is due: the tool is updated in place
a tool to get or to lose, or that is not linked → ToolOrdered in its stream: all its assistants are looked through
nothing differs, and no run is left that may have read an older fleet → nobody looks until something changes
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from tool_sync.domain import events as e
from tool_sync.domain.change_window import state_of_window
from tool_sync.domain.fleet import Clinic, Fleet, decide_tool
from tool_sync.domain.fleet.work import ClinicFacts, waits_for_window, work_of
from tool_sync.domain.toolset import Toolset
from tool_sync.log import AppendRequest, Duplicate, Meta, NewEvent, StoredEvent, event_id, org_stream
from tool_sync.publishing.fleet import empty_fleet, with_events
from tool_sync.rollouts.due import is_due, is_for_feeder, is_over

from .checks import Checks
from .database import Database, Lease, Pending, seconds_of, time_of
from .faults import Faults
from .rest import Rest

SOURCE: Final = "/simulation/feeder"
FEED_SECONDS: Final = 1.0
FEED_SECONDS_AT_PEACE: Final = 30.0
FEED_AGAIN_SECONDS: Final = 10.0
OF_ROW = (e.ToolRegistered, e.ToolUpdated, e.ToolVanished, e.ToolRetired, e.ToolReinstated, e.ToolDeleted)


@dataclass(slots=True)
class _Walk:
    position: int
    older: set[UUID]
    fed: dict[UUID, float] = field(default_factory=dict)


@dataclass(slots=True)
class Feeder:
    """``wake`` makes the workers look now. ``is_stopped``: with all of tool-sync, for a restore."""

    database: Database
    rest: Rest
    checks: Checks
    faults: Faults
    wake: Callable[[], None]
    is_stopped: bool = False
    _fleet: Fleet = field(default_factory=empty_fleet, init=False)
    _walks: dict[str, _Walk] = field(default_factory=dict, init=False)
    _settled: dict[str, int] = field(default_factory=dict, init=False)

    def forget(self) -> None:
        """The log was set back, and its feeder starts anew."""
        self._fleet, self._walks, self._settled = empty_fleet(), {}, {}

    async def feed_forever(self) -> None:
        """A turn for every tool, again and again."""
        while True:
            await asyncio.sleep(FEED_SECONDS_AT_PEACE if self.faults.healed else FEED_SECONDS)
            self.feed()

    def feed(self) -> None:
        """One turn for every tool of which something changed that not every clinic has, or whose order runs."""
        if self.is_stopped:
            return
        now = asyncio.get_running_loop().time()
        self._fleet = with_events(self._fleet, self.database.fleet)
        for name in self._fleet.names:
            if is_due(self._fleet, name, self._settled.get(name, 0), time_of(now)):
                self._turn(name, now)

    def _turn(self, name: str, now: float) -> None:
        walk = self._walks.get(name)
        if walk is None or walk.position != self._fleet.changed_at[name]:
            walk = self._walks[name] = _Walk(self._fleet.changed_at[name], self._held(now))
        clinics = {org_id: self._facts(org_id, name) for org_id in self.database.by_org}
        for org_id, facts in clinics.items():
            opens_at = facts.clinic.opens_at
            if opens_at is not None and not facts.clinic.closed and waits_for_window(facts, self._fleet, name):
                self.checks.reached["waits for its window"] += 1
                lease, at = self.database.leases.setdefault(org_id, Lease()), seconds_of(opens_at)
                lease.next_due = at if lease.next_due is None else min(lease.next_due, at)
        differing = {
            org_id: facts
            for org_id, facts in clinics.items()
            if not facts.clinic.closed and is_for_feeder(facts, self._fleet, name)
        }
        walk.fed = {
            org_id: at
            for org_id, at in walk.fed.items()
            if org_id in differing and not is_over(differing[org_id], self._fleet, name)
        }
        for org_id, facts in differing.items():
            is_late = now - walk.fed.get(org_id, float("-inf")) > FEED_AGAIN_SECONDS
            if is_late and self._feed(org_id, name, facts):
                walk.fed[org_id] = now
        walk.older &= self._held(now)
        if not walk.fed and not walk.older:
            self._settled[name] = walk.position

    def _held(self, now: float) -> set[UUID]:
        """The leases that workers hold now."""
        leases = self.database.leases.values()
        return {each.token for each in leases if each.token is not None and each.until is not None and each.until > now}

    def _feed(self, org_id: UUID, name: str, facts: ClinicFacts) -> bool:
        """Whether it has something to do now; otherwise it has looked everything through, and is not helped."""
        if work_of(facts, self._fleet, name) == "update":
            now, lease = asyncio.get_running_loop().time(), self.database.leases.setdefault(org_id, Lease())
            lease.next_due = now if lease.next_due is None else min(lease.next_due, now)
            self.checks.reached["fed in place"] += 1
        elif not self._order(org_id, name, facts) and is_over(facts, self._fleet, name):
            return False
        self.wake()
        return True

    def _order(self, org_id: UUID, name: str, facts: ClinicFacts) -> bool:
        """Once for each change and each state of the row."""
        made = decide_tool(facts.clinic, self._fleet, name)
        halt = made.rule == "halted"
        order = None if made.order is None or made.pin is not None or halt else made.order.rollout_id
        stream, cause = org_stream(org_id), f"{name}:{self._fleet.changed_at[name]}:{facts.row_position}"
        if facts.closes_at is not None:
            cause += f":{facts.closes_at}"
        new = NewEvent(event_id(stream, SOURCE, cause, "ToolOrdered", 0), e.ToolOrdered(name, order, halt))
        request = AppendRequest(stream, org_id, None, (new,), Meta(cause, cause, None, "simulation", "0"))
        answer = self.database.append(request, asyncio.get_running_loop().time())
        self.checks.reached["fed ToolOrdered"] += not isinstance(answer, Duplicate)
        return not isinstance(answer, Duplicate)

    def _facts(self, org_id: UUID, name: str) -> ClinicFacts:
        """As the tables have them: `org_tools`, `assistants`, `tool_refusals`."""
        state, rows = self.rest.state_of(org_id), self.database.assistants.get(org_id, {}).values()
        here = [row for row in rows if not row.removed]
        events = self.database.by_org[org_id]
        of_tool = [s for s in events if isinstance(s.event, OF_ROW) and s.event.name == name]
        has = state.tools.get(name)
        is_unlinked = has is not None and any(
            has.vapi_tool_id not in [ref.vapi_tool_id for ref in row.synced]
            for row in rows
            if self._is_synced(org_id, row)
        )
        pending = self.database.pending.get(org_id, {}).get("", Pending())
        window = None
        if state.window is not None:
            window = state_of_window(state.window, state.time_zone, time_of(asyncio.get_running_loop().time()))
        clinic = Clinic(
            str(org_id), state.tier, state.closed, state.since, state.disabled, {name: _orders_of(of_tool)}, state.pins,
            None if window is None or window.closes_at is not None else window.opens_at, state.kept,
            0 if state.kept else None,
        )  # fmt: skip
        return ClinicFacts(
            clinic,
            len(here),
            None if has is None else has.definition_hash,
            is_unlinked,
            _refused(state, name),
            of_tool[-1].position if of_tool else 0,
            pending.requested > pending.settled,
            has is not None and name in state.drifted and state.drifted[name].differs == ("description",),
            None if window is None else window.closes_at,
            is_new=not of_tool
            and bool(here)
            and not any((org_id, row.agent_id) in self.checks.newest_word for row in here),
        )

    def _is_synced(self, org_id: UUID, row: Any) -> bool:
        word = self.checks.newest_word.get((org_id, row.agent_id))
        return not row.removed and isinstance(word, e.AssistantSynced)


def _orders_of(of_tool: Sequence[StoredEvent]) -> tuple[str, ...]:
    return tuple(order for stored in of_tool if (order := getattr(stored.event, "order", None)) is not None)


def _refused(state: Toolset, name: str) -> str | None:
    failures: Mapping[str, Any] = state.failures
    failure = failures.get(f"tool:{name}")
    return failure.definition_hash if failure is not None and failure.retry_at is None else None
