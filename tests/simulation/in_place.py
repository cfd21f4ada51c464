"""What an update in place costs: one call and two events, where nothing else was to be done and nothing failed."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tool_sync.domain import events as e
from tool_sync.domain.toolset import Toolset

from .checks import Checks
from .database import Database
from .process import Process, process_of_current_task
from .vapi import Server


@dataclass(slots=True)
class _Run:
    holder: object
    events: int
    at_rest: bool
    calls: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class InPlace:
    """Watches runs from the claim to the release."""

    database: Database
    server: Server
    checks: Checks
    runs: dict[UUID, _Run] = field(default_factory=dict)

    def forget(self) -> None:
        """The log was set back, and who ran was killed."""
        self.runs.clear()

    def claimed(self, org_id: UUID, state: Toolset) -> None:
        """A run begins, in the process whose code runs now."""
        rows = self.database.pending.get(org_id, {}).values()
        open_work = state.requests or state.attempts or state.looks or state.failures or state.org_wide_through
        left_over = state.drifted or state.retired or state.surplus or state.suspects
        at_rest = not (open_work or left_over or state.pins) and all(row.requested <= row.settled for row in rows)
        self.runs[org_id] = _Run(process_of_current_task(), len(self.database.by_org.get(org_id, ())), at_rest)

    def called(self, sender: Process, method: str, path: str) -> None:
        """A worker sends something; what it is about says for whom. One that slept may still act."""
        kind, _, item_id = path.strip("/").partition("/")
        for org_id in self._orgs_of(kind, item_id):
            if org_id in self.runs and self.runs[org_id].holder is sender:
                self.runs[org_id].calls[f"{method} /{kind}"] += 1

    def released(self, now: float, org_id: UUID) -> None:
        """The run has ended."""
        run = self.runs.pop(org_id, None)
        if run is None or not run.at_rest:
            return
        events = (stored.event for stored in self.database.by_org[org_id][run.events :])
        written: list[Any] = [event for event in events if not isinstance(event, e.ToolTextLost)]
        updates = sum(isinstance(event, e.ToolUpdateStarted) for event in written)
        answered = sum(isinstance(event, e.ToolUpdated) for event in written)
        arrived = any(isinstance(event, e.OrgEvent) for event in written)
        failed = any(isinstance(event, e.SyncAttemptFailed | e.ToolVanished) for event in written)
        if not updates or answered < updates or arrived or failed:
            return
        self.checks.reached["updated in place"] += updates
        if len(written) != 2 * updates or run.calls != Counter({"PATCH /tool": updates}):
            self.checks.violated(
                now, f"{updates} updates in place of {org_id} took {dict(run.calls)} and "
                f"{[type(event).__name__ for event in written]}",
            )  # fmt: skip

    def _orgs_of(self, kind: str, item_id: str) -> list[UUID]:
        if kind == "tool":
            owner = self.server.owner_of(item_id)
            return [] if owner is None else [owner]
        rows = self.database.assistants.items()
        found = [
            org_id
            for org_id, of_org in rows
            if any(row.assistant_id == item_id and not row.removed for row in of_org.values())
        ]
        return found if len(found) == 1 else []
