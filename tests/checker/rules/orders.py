"""I19: what is written of a tool is what pins and orders say, at the clinic's hours; every clinic ends as they say; no
gate opens early, and no pin ends before its time or stays after it."""

from bisect import bisect_right
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Final

from tests.checker.clinic import Clinic
from tests.checker.dump import Row
from tests.checker.history import Event, History
from tests.checker.orders import Book, Due, Has, Version, rows_after
from tests.checker.verdict import Result

WRITES: Final = ("ToolRegistrationStarted", "ToolUpdateStarted")
GATED: Final = ("RolloutStageOpened", "RolloutCompleted")
STALE_MAX: Final = timedelta(seconds=60)
"""So long before a write its clinic may have been as the write takes it: what arrives is of another stream. And so long
before, the clinic's change window may have been open."""
CALM_STALE_MAX: Final = timedelta(seconds=2)
"""The same where nothing was done to anybody: what was read is read again after a second, before a tool is written."""
PIN_GRACE: Final = timedelta(seconds=60)
"""A pin that has had its time is ended by then, where somebody lives."""


class _Log:
    """The log, read once from its beginning: what was ordered, and what every clinic was and had."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.stale = STALE_MAX if history.ledger("fault") else CALM_STALE_MAX
        self.books = [Book()]
        self.states: dict[str, list[tuple[datetime, Clinic]]] = {}
        self.rows: dict[str, dict[str, Has]] = defaultdict(dict)
        self.refused: dict[tuple[str, str], str | None] = {}
        self.adopted = {e.data.get("attempt_id") for e in history.events_of("ToolRegistered") if e.data.get("adopted")}

    def book(self, position: int) -> Book:
        """As of a position of the log."""
        return self.books[bisect_right([book.position for book in self.books], position) - 1]

    def newest(self, org: str) -> Clinic:
        """The clinic as it is by now."""
        return self.states[org][-1][1]

    def could_be(self, org: str, at: datetime) -> list[Clinic]:
        """The clinic as it is, and as it was a little before."""
        return self._since(org, at - self.stale)[::-1]

    def dues(self, book: Book, org: str, tool: str, at: datetime) -> list[Due]:
        """What the clinic should have had of the tool then, and a little before; the likeliest first."""
        return [
            book.due(clinic, tool, moment)
            for clinic in self.could_be(org, at)
            for moment in ((at, at - self.stale) if clinic.window is not None else (at,))
        ]

    def is_set_apart(self, org: str, tool: str, since: datetime) -> bool:
        """Whether since then the clinic had a change window, or a pin of the tool: no stage waits for its end."""
        return any(clinic.window is not None or tool in clinic.pins for clinic in self._since(org, since))

    def _since(self, org: str, at: datetime) -> list[Clinic]:
        states = self.states[org]
        ended = [until for until, _ in states[1:]]
        return [clinic for (_, clinic), over in zip(states[:-1], ended, strict=True) if over >= at] + [states[-1][1]]

    def take(self, event: Event) -> None:
        """One event more."""
        if event.org is None:
            self.books.append(self.books[-1].after(event))
            return
        at = _time(event)
        states = self.states.setdefault(event.org, [(at, Clinic(event.org, event.row["recorded_at_text"]))])
        if (now := states[-1][1].after(event)) != states[-1][1]:
            states.append((at, now))
        rows_after(self.rows[event.org], event)
        subject = str(event.data.get("subject", ""))
        if event.type == "SyncAttemptFailed" and subject.startswith("tool:"):
            permanent = event.data.get("retry_at") is None and event.data.get("end") == "refused"
            self.refused[event.org, subject.removeprefix("tool:")] = (
                event.data.get("definition_hash") if permanent else None
            )


def check(history: History) -> Result:
    """I19."""
    result = Result("I19", "what is written of a tool is what orders say, and every clinic ends as they say")
    log = _Log(history)
    for event in history.events:
        if event.type in WRITES and event.data.get("fleet_position") is not None:
            _write(log, event, result)
        elif event.type in GATED and event.data.get("cause") == "gate":
            _gate(log, event, result)
        elif event.type == "ToolPinExpired":
            _expired(log, event, result)
        log.take(event)
    if history.settings["at_rest"]:
        _ends(log, result)
    if not history.dump.table("lost-1.events"):  # what a lost log had sent, the one that stands may send again
        _twice(history, result)
    for planned in history.events_of("RolloutPlanned"):
        _planned(history, planned, result)
    result.figures["orders"] = len(log.books[-1].orders)
    for figure, kind in (
        ("pins", "ToolPinned"),
        ("pins ended by time", "ToolPinExpired"),
        ("windows", "ChangeWindowSet"),
    ):
        result.figures[figure] = len(history.events_of(kind))
    return result


def _write(log: _Log, event: Event, result: Result) -> None:
    """What was announced is what the rule gives, for the fleet that it names."""
    assert event.org is not None
    data, book = event.data, log.book(event.data["fleet_position"])
    result.judged += 1
    is_published = (data["name"], data["definition_hash"]) in log.books[-1].by_hash
    if data.get("attempt_id") in log.adopted or not is_published:
        return  # as it was found at Vapi: nothing of it is sent
    if event.org not in log.states:
        result.broken("a tool is written for a clinic that nothing is known of", **event.brief())
        return
    has = log.rows[event.org].get(data["name"])
    told = (data["definition_hash"], data.get("order"))
    found = log.dues(book, event.org, data["name"], _time(event))
    if not any(_is(due, told, has) for due in found):
        result.broken("a write that no order justifies", due=repr(found[0])[:200], **event.brief())


def _is(due: Due, told: tuple[str, str | None], has: Has | None) -> bool:
    if due.keeps:
        return told[0] == (due.kept or (None if has is None else has.hash))
    return due.version is not None and (due.version.hash, due.order) == told


def _expired(log: _Log, event: Event, result: Result) -> None:
    """A pin ends when its time has come, and not before."""
    assert event.org is not None
    pin = log.newest(event.org).pins.get(event.data["name"]) if event.org in log.states else None
    result.judged += 1
    if pin is not None and pin.position == event.data["pinned_at"] and _time(event) < pin.until:
        result.broken("a pin was ended before its time", until=str(pin.until), **event.brief())


def _gate(log: _Log, event: Event, result: Result) -> None:
    """Whoever had the tool when the order began, and is of its open stages, has what it gives."""
    book, data = log.books[-1], event.data
    order = next(one for one in book.orders if one.id == data["rollout_id"])
    began = datetime.fromisoformat(order.started)
    for org, rows in log.rows.items():
        has = rows.get(order.tool)
        if has is None or not has.enabled or has.position > order.position:
            continue
        if log.is_set_apart(org, order.tool, began):
            continue
        found = log.dues(book, org, order.tool, _time(event))
        result.judged += 1
        if all(due.order == order.id and _lacks(log, org, order.tool, due, has) for due in found):
            result.broken("a gate opened, and a clinic of the stage has another version", org=org, **event.brief())


def _ends(log: _Log, result: Result) -> None:
    """At rest: the row, the tool at Vapi, what the newest outcomes name, and that no pin has outlived its time."""
    book, history = log.books[-1], log.history
    ended = datetime.fromtimestamp(history.ended, UTC)
    for org, states in log.states.items():
        for name, pin in states[-1][1].pins.items():
            result.judged += 1
            if pin.until + PIN_GRACE < ended:
                result.broken("a pin has had its time, and nobody has ended it", org=org, tool=name, pin=repr(pin))
    for org, rows in log.rows.items():
        for name, has in rows.items():
            due = book.due(log.newest(org), name, ended)
            result.judged += 1
            if (has.enabled and _lacks(log, org, name, due, has)) or (
                has.enabled and due.version is None and not due.keeps
            ):
                result.broken("a clinic does not have what is ordered", org=org, tool=name, due=repr(due)[:200])
    names = {name for name, _ in book.versions}
    for (org, agent), event in history.newest_outcome.items():
        is_gone = (org, agent) in history.removed or (org, agent) not in history.agents
        if event.type != "AssistantSynced" or is_gone or log.newest(org).closed:
            continue
        told = {tool["name"] for tool in event.data["tools"]}
        for name in names:
            due = book.due(log.newest(org), name, ended)
            refused = due.version is not None and log.refused.get((org, name)) == due.version.hash
            if not due.keeps and not refused and (name in told) != (due.version is not None):
                result.broken("an assistant was told otherwise than ordered", agent=agent, tool=name, **event.brief())
    for row in history.dump.table("tool_sync.org_tools"):
        _at_vapi(history, book, row, result)


def _at_vapi(history: History, book: Book, row: Row, result: Result) -> None:
    """The tool of a row says at Vapi what its version's document does; not judged where somebody else wrote to it."""
    tool = history.live_tools.get(row["vapi_tool_id"])
    version = book.by_hash.get((row["tool_name"], row["definition_hash"]))
    paths = {entry["path"] for entry in history.foreign_writes}
    if not row["enabled"] or tool is None or version is None or f"/tool/{tool['id']}" in paths:
        return
    if not _says(tool, version):
        result.broken("a tool at Vapi is another version than its row says", tool=tool["id"], row=row)


def _says(tool: Row, version: Version) -> bool:
    static = {one["key"]: one["value"] for one in tool.get("parameters") or ()}
    ours = (tool["function"].get("description"), static.get("definition_version"))
    return ours == (version.document["function"].get("description"), version.number)


def _lacks(log: _Log, org: str, name: str, due: Due, has: Has) -> bool:
    if due.version is None or has.hash == due.version.hash:
        return False
    return log.refused.get((org, name)) != due.version.hash


def _twice(history: History, result: Result) -> None:
    """An update in place is sent once: the same body twice in a row is excused by a pause, and once by each."""
    pauses = sum(bool(line.get("pause")) for line in history.ledger("fault"))
    newest: dict[str, tuple[str, bool]] = {}
    doubles: list[Row] = []
    executed = [entry for entry in history.dump.journal if entry["executed"] and entry["method"] == "PATCH"]
    for entry in sorted(executed, key=lambda one: (one["executed_monotonic_seconds"], one["sequence"])):
        if entry["route"] == "PATCH /tool/{id}":
            now = (entry["body_sha256"], history.ours[entry["sequence"]])
            if now[1] and newest.get(entry["path"]) == now:
                doubles.append(entry)
            newest[entry["path"]] = now
    result.figures["tool updates that were sent twice"] = len(doubles)
    if len(doubles) > pauses:
        for entry in doubles:
            result.broken(f"an update was sent twice, with {pauses} pauses in the run", journal=entry["sequence"])


def _planned(history: History, planned: Event, result: Result) -> None:
    """No more clinics are written to for an order than its plan has counted, of those that were there then."""
    counts, as_of = planned.data["counts"], planned.data["as_of"]
    known = {event.org for event in history.events if event.position <= as_of}
    writes = (e for e in history.events_of(*WRITES) if e.data.get("order") == planned.data["rollout_id"])
    written = {event.org for event in writes} & known
    foreseen = counts["update"] + counts["add"] + counts["already"] + counts["left"]
    result.judged += len(written)
    if len(written) > foreseen:
        result.broken(f"{len(written)} clinics were written to, {foreseen} were planned", **planned.brief())


def _time(event: Event) -> datetime:
    return datetime.fromisoformat(event.row["recorded_at_text"])
