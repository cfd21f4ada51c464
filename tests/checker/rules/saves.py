"""I1 and I8: no save is lost, and none has two outcomes."""

from collections import Counter, defaultdict

from tests.checker.dump import Row
from tests.checker.history import OUTCOME_EVENTS, History
from tests.checker.rules.gone import lost_and_told
from tests.checker.verdict import Result
from tests.checker.wire import OUTCOME_TYPES, SAVED, Message


def check_lost(history: History) -> Result:
    """I1: from the acknowledged operation over row, topic and log to the outcome on the topic."""
    result = Result("I1", "every acknowledged save has its one outcome")
    rows = history.saves
    _acknowledged(history, rows, result)
    saved: dict[str, Message] = {m.body.get("request_id", ""): m for m in history.input if m.type == SAVED and m.body}
    unreadable = {line["request_id"] for line in history.ledger("poison") if line.get("request_id")}
    published: dict[str, set[str]] = defaultdict(set)
    for message in history.output:
        if message.type in OUTCOME_TYPES:
            for request in message.requests:
                published[request].add(message.id or "")
    for request_id, row in rows.items():
        if row["state"] == "saved" and request_id not in saved:
            result.broken("a save is in Vapi, but not on the topic", save=row)
        if row["state"] in ("refused", "deleted") and history.outcomes_by_request.get(request_id):
            result.broken(f"a {row['state']} save has an outcome", save=row)
    lost = {request_id for request_id, message in saved.items() if lost_and_told(history, message)}
    due = (set(saved) | unreadable) - lost
    result.judged = len(due)
    for request_id in sorted(due):
        events = history.outcomes_by_request.get(request_id, [])
        if not events and history.settings["at_rest"]:
            result.broken("a save has no outcome in the log", request_id=request_id, save=rows.get(request_id))
        elif events and not published[request_id] and history.settings["at_rest"]:
            result.broken("a save's outcome is in the log but not on the topic", **events[0].brief())
    for request_id, found in history.outcomes_by_request.items():
        if request_id not in due | lost and request_id not in rows:
            result.broken("an outcome names a request that nobody made", request_id=request_id, **found[0].brief())
    states = Counter(row["state"] for row in rows.values())
    result.figures["saves"] = {"on the topic": len(saved), "unreadable": len(unreadable), "lost": len(lost), **states}
    return result


def check_twice(history: History) -> Result:
    """I8: one outcome per request, and revisions that only grow."""
    result = Result("I8", "no second outcome, and no older one after a newer", judged=len(history.outcomes_by_request))
    for request_id, events in history.outcomes_by_request.items():
        if len(events) > 1:
            result.broken("a request has two outcomes", request_id=request_id, first=events[0].id, second=events[1].id)
    # A log that lost what it had said says it again, under its new id; of what was left, `events` above has one only.
    by_request: dict[tuple[str | None, str], set[str]] = defaultdict(set)
    for message in history.output:
        if message.type in OUTCOME_TYPES:
            for request in message.requests:
                by_request[message.log_id, request].add(message.id or "")
    for (_, request_id), ids in by_request.items():
        if len(ids) > 1:
            result.broken("two outcomes of a request are on the topic", request_id=request_id, ids=sorted(ids))
    newest: dict[tuple[str, str, str | None], int] = {}
    for event in history.events:
        # Of an assistant, not of an agent's id: an agent that is made anew after its deletion begins at revision 1.
        agent = (event.org or "", event.data.get("agent_id") or "", event.data.get("assistant_id"))
        if event.type in OUTCOME_EVENTS and (revision := event.data.get("revision")) is not None:
            if revision < newest.get(agent, 0):
                result.broken(f"an outcome of revision {revision} follows one of {newest[agent]}", **event.brief())
            newest[agent] = max(revision, newest.get(agent, 0))
    return result


def _acknowledged(history: History, rows: dict[str, Row], result: Result) -> None:
    ends = ("ok", "info")
    gone = {(op["org"], None) for op in history.ledger("op") if op["op"] == "delete_org" and op["state"] in ends}
    for op in history.ledger("op"):
        request_id = op.get("request_id")
        if op["state"] != "ok" or request_id is None or (op.get("org"), None) in gone:
            continue
        if request_id not in rows:
            result.broken("an acknowledged save has no row", operation=op)
        elif rows[request_id]["state"] == "open" and history.settings["at_rest"]:
            result.broken("an acknowledged save is still open", operation=op)
