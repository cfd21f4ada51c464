"""I13: at rest nothing is open. I15: every planned fault fired. And how long saves took."""

from collections import Counter
from collections.abc import Iterator

from tests.checker.history import OUTCOME_EVENTS, Event, History, percentile
from tests.checker.verdict import Result
from tests.checker.wire import OUTCOME_TYPES

RELAY_CURSOR = "outcomes-relay"


def check_rest(history: History) -> Result:
    """I13: outbox, saves, agents, work list, relay and attempts."""
    result = Result("I13", "at rest nothing is open")
    if not history.settings["at_rest"]:
        result.notes.append("the run was not at rest")
        return result
    table = history.dump.table
    for row in table("assistant_api.outbox"):
        result.broken("the outbox is not empty", id=row["id"], type=row["type"])
    for row in table("assistant_api.saves"):
        if row["state"] == "open":
            result.broken("a save is open", **row)
    for row in history.agents.values():
        if row["saved_revision"] > max(row["provisioned_revision"], row["refused_revision"]):
            result.broken("an agent is not in Vapi", agent=row["id"], saved_revision=row["saved_revision"])
        if row["attempt_id"] is not None:
            result.broken("a write of assistant-api has no answer", agent=row["id"], attempt_id=row["attempt_id"])
    for row in table("tool_sync.pending_syncs"):
        if row["requested"] > row["settled"]:
            result.broken("work is pending", **row)
    head = len(history.events)
    for row in table("tool_sync.cursors"):
        if row["name"] == RELAY_CURSOR and row["position"] < head:
            result.broken(f"the relay is at {row['position']} of {head}")
    for row in table("tool_sync.projections"):
        if row["position"] not in (None, head):  # null: folded up to the newest event by every append
            result.broken(f"projection {row['name']} is at {row['position']} of {head}")
    for event in _unanswered(history):
        result.broken("a write of tool-sync has no answer", **event.brief())
    _heard(history, result)
    result.judged = head
    return result


def check_faults(history: History) -> tuple[Result, list[str]]:
    """I15: which classes fired, and why the run is void."""
    result = Result("I15", "every planned fault class fired")
    fired = Counter(line["class"] for line in history.ledger("fault"))
    rules = {entry["rule"] for entry in history.dump.journal if entry["rule"] is not None}
    planned = [name for line in history.ledger("plan") for name in line["classes"]]
    by_rule = {line["class"]: line["rule"] for line in history.ledger("fault") if line.get("rule")}
    void = [f"fault class {name} was planned and never fired" for name in planned if name not in fired]
    void += [f"fault class {n}: the sandbox rule {r!r} met no request" for n, r in by_rule.items() if r not in rules]
    result.judged = len(planned)
    result.figures |= {"faults": sum(fired.values()), "fault classes": dict(fired)}
    return result, void


def check_latency(history: History) -> Result:
    """Seconds from the start of an acknowledged save to its outcome on the topic. Measured, never broken."""
    result = Result("time", "how long a save took to its outcome on the topic (measured only)")
    heard: dict[str, float] = {}
    for message in history.output:
        if message.type in OUTCOME_TYPES:
            for request in message.requests:
                heard[request] = min(message.at, heard.get(request, message.at))
    took = [
        heard[op["request_id"]] - op["started"]
        for op in history.ledger("op")
        if op.get("request_id") in heard and op["state"] == "ok"
    ]
    shares = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    result.judged = len(took)
    result.figures["save to outcome, s"] = {
        name: round(value, 3) for name, share in shares.items() if (value := percentile(took, share)) is not None
    }
    return result


def _unanswered(history: History) -> Iterator[Event]:
    """The attempts that nothing closed: an answer that is unknown does not. An update of a tool that is found gone
    from Vapi has come to nothing, whatever its answer was."""
    open_attempts: dict[str, Event] = {}
    for event in history.events:
        if event.type == "ToolVanished":
            open_attempts = {id_: one for id_, one in open_attempts.items() if not _is_update_of(one, event)}
        attempt = event.data.get("attempt_id")
        if attempt is None:
            continue
        if event.type.endswith("Started"):
            open_attempts[attempt] = event
        elif event.type != "SyncAttemptFailed" or event.data["end"] != "unknown":
            open_attempts.pop(attempt, None)
    yield from (event for event in open_attempts.values() if event.org not in history.closed_orgs)


def _is_update_of(started: Event, vanished: Event) -> bool:
    """Whether a write is an update of the very tool that is gone."""
    same = started.org == vanished.org and started.data.get("vapi_tool_id") == vanished.data["vapi_tool_id"]
    return same and started.type == "ToolUpdateStarted"


def _heard(history: History, result: Result) -> None:
    """assistant-api knows the newest outcome of each of its agents."""
    newest = {
        (event.org or "", event.data["agent_id"]): event
        for event in history.events_of(*OUTCOME_EVENTS)
        if event.data.get("sequence") is not None and event.data.get("agent_id") is not None
    }
    rows = {(row["org_id"], row["agent_id"]): row for row in history.dump.table("assistant_api.outcomes")}
    for agent, agent_row in history.agents.items():
        event, row = newest.get(agent), rows.get(agent)
        if event is None or event.data["assistant_id"] != agent_row["vapi_assistant_id"]:
            continue
        if row is None or row["event_id"] != event.id:  # not by its sequence: a log that was set back gives it again
            known = row and row["sequence"]
            result.broken(f"assistant-api knows outcome {known}, not the newest", agent=agent[1], **event.brief())
