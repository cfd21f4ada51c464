"""The sandbox's whole state, and the one place where an operation takes place and is counted."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from vapi_sandbox.allocations import EVERYBODY
from vapi_sandbox.answers import Reply
from vapi_sandbox.calls import Call
from vapi_sandbox.clock import Clock
from vapi_sandbox.dials import Dials, ExternalEdit
from vapi_sandbox.faults import FaultDesk
from vapi_sandbox.javascript import to_json
from vapi_sandbox.journal import Entry, Journal
from vapi_sandbox.lists import Lag, View
from vapi_sandbox.operations import Conditions, change, execute
from vapi_sandbox.rate_limit import MinuteWindows
from vapi_sandbox.records import KINDS, Document
from vapi_sandbox.settings import SandboxSettings
from vapi_sandbox.store import Store
from vapi_sandbox.tally import Tally


class Sandbox:
    """Resources, dials, journal and counters of one sandbox; nothing of it outlives the process."""

    def __init__(self, settings: SandboxSettings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.store = Store(clock)
        self.journal = Journal(clock, settings.keep_bodies)
        self.tally = Tally()
        self.windows = MinuteWindows()
        self.faults = FaultDesk(settings.dials, clock.monotonic)
        self._conditions_of: Dials | None = None
        self._common = Conditions()
        # Holds operations that run late: a task without a reference may be collected before it ran.
        self.late: set[asyncio.Task[Reply]] = set()

    @property
    def dials(self) -> Dials:
        """The dials in force."""
        return self.faults.dials

    def execute(self, call: Call, entry: Entry) -> Reply:
        """Let the operation take place now, and record that it did."""
        self.store.skew_ms = self.dials.clock_skew_ms
        reply = execute(self.store, call, self._conditions(call.vapi_org))
        if reply.executed:
            entry.executed = True
            entry.executed_at = self.clock.monotonic()
            if reply.created is not None:
                entry.created.append(reply.created)
            self.tally.executed(call, reply)
        return reply

    def _conditions(self, vapi_org: str) -> Conditions:
        dials = self.dials
        dice = self.faults.shuffle
        # Made once for many requests: most of them are measured. Dials that are turned back begin with new dice.
        if dials is not self._conditions_of or self._common.view.dice is not dice:
            each = dials.list_lag_each
            share, own_ms = (0.0, 0) if each is None else (each.share, each.lag_ms_max)
            lag = Lag(dials.list_lag_ms, share, own_ms, dials.seed)
            view = View(dials.list_order, lag, dice)
            self._common = Conditions(strict_tool_ids=dials.strict_tool_ids, view=view, planted=dials.planted)
            self._conditions_of = dials
        if {EVERYBODY, vapi_org}.isdisjoint(dials.without_traffic_splits):
            return self._common
        return replace(self._common, may_split=False)

    def now_seconds(self) -> float:
        """Return the wall clock as this API shows it."""
        return self.clock.wall() + self.dials.clock_skew_ms / 1000

    def edit(self, call: Call, edit: ExternalEdit) -> None:
        """Change a stored resource as another writer would; nothing happens where it is not there."""
        if call.route.kind not in KINDS:
            return
        self.store.skew_ms = self.dials.clock_skew_ms
        shelf = self.store.shelf(call.vapi_org, call.route.kind)
        stored = shelf.get(call.id)
        if stored is None:
            return
        content = _merge(stored.content(), edit.merge)
        if edit.append_tool_ids and isinstance(content.get("model"), dict):
            model = content["model"]
            content["model"] = {**model, "toolIds": [*(model.get("toolIds") or []), *edit.append_tool_ids]}
        changed = change(self.store, shelf, stored, content)
        entry = self.journal.open("PATCH", f"/{call.route.kind}/{call.id}", "", to_json(content), origin="dial")
        entry.vapi_org = call.vapi_org
        entry.route = f"PATCH /{call.route.kind}/{{id}}"
        entry.executed, entry.executed_at = True, self.clock.monotonic()
        entry.status, entry.finished = 200, True
        assert changed.id == call.id

    def reset(self, *, resources: bool, journal: bool, dials: bool) -> None:
        """Forget what is named; the dials return to those of the settings. Counters go with the journal."""
        if resources:
            self.store.clear()
        if journal:
            self.journal.clear()
            self.tally.clear()
            self.windows.clear()
            self.faults.fired.clear()
        if dials:
            self.faults.turn(self.settings.dials)


def _merge(target: Any, patch: Document) -> Document:
    """Apply a JSON merge patch (RFC 7386)."""
    merged: Document = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            merged[name] = _merge(merged.get(name), value)
        else:
            merged[name] = value
    return merged
