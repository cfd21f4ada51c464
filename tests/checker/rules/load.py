"""I11: the rate that the services were given, and how many calls they made for each that was needed."""

from collections import Counter

from tests.checker.history import History
from tests.checker.verdict import Result
from tests.checker.wire import SAVED, canonical

DAILY = "/traffic-allocations"


def check(history: History) -> Result:
    """Judge the journal, over both services."""
    result = Result("I11", "never above the rate in a UTC minute; few calls beyond the needed ones")
    heard = [entry for entry in history.dump.journal if history.ours[entry["sequence"]] and entry["key"] is not None]
    result.judged = len(heard)
    minutes = Counter(entry["at"][:16] for entry in heard)
    allowed = history.settings["requests_per_minute"]
    for minute, count in sorted(minutes.items()):
        if allowed is not None and count > allowed:
            result.broken(f"{count} calls in a minute, {allowed} are allowed", minute=minute)
    # What is looked at once a day belongs to no save: it counts for the rate alone.
    calls = [entry for entry in heard if not entry["path"].startswith(DAILY)]
    needed = _needed(history)
    amplification = round(len(calls) / needed, 3) if needed else None
    result.figures |= {"Vapi calls": len(calls), "needed calls": needed, "amplification": amplification}
    result.figures["busiest minute"] = max(minutes.values(), default=0)
    most = history.settings["amplification_max"]
    if most is not None and amplification is not None and amplification > most:
        result.broken(f"{amplification} calls per needed call, {most} are allowed", calls=len(calls), needed=needed)
    return result


def _needed(history: History) -> int:
    """What a run without faults would have called: each first creation, each write that changed something, one reading
    for each revision after an assistant's first, one for each time that an assistant's requests were settled, and one
    of each tool that had to be looked at by itself."""
    made = sum(bool(ids) for ids in (*history.vapi.tools_made.values(), *history.vapi.assistants_made.values()))
    changes = sum(w.ours and canonical(w.before) != canonical(w.after) for w in history.vapi.writes)
    revisions = {
        (m.body.get("org_id"), m.body.get("agent_id"), m.body.get("revision")) for m in history.input if m.type == SAVED
    }
    later = len(revisions) - len({(org, agent) for org, agent, _ in revisions})
    batches = {(e.org, e.data["agent_id"], e.row["recorded_at_text"]) for e in history.events_of("AssistantSynced")}
    deleted = sum(
        bool(entry["executed"] and entry["method"] == "DELETE" and history.ours[entry["sequence"]])
        for entry in history.dump.journal
    )
    looked_at = {
        entry["path"]
        for entry in history.dump.journal
        if entry["method"] == "GET" and entry["path"].startswith("/tool/") and history.ours[entry["sequence"]]
    }
    return len(looked_at) + made + deleted + changes + history.vapi.tool_writes + later + len(batches)
