"""I12 and I14: nothing secret on a topic, and every record taken in or parked, once."""

from collections import Counter

from tests.checker.canaries import Canaries
from tests.checker.history import History
from tests.checker.rules.gone import lost_and_told
from tests.checker.verdict import Result


def check_clean(history: History) -> Result:
    """I12: the prompts that saves gave, looked for in every record, event and log line."""
    canaries = Canaries(op["prompt"] for op in history.ledger("op") if op.get("prompt"))
    result = Result("I12", "no prompt on a topic, in the log or in a log file", judged=len(canaries))
    for message in history.messages:
        headers = " ".join(str(value) for value in message.headers)
        for canary in canaries.found_in(message.raw.decode(errors="replace") + headers):
            result.broken("a prompt is on a topic", canary=canary, place=message.place)
    for event in history.events:
        for canary in canaries.found_in(event.row["data_text"] + event.row["meta_text"]):
            result.broken("a prompt is in the log", canary=canary, position=event.position)
    for line in history.dump.logs:
        result.broken("a prompt is in a log file", **line)
    return result


def check_parked(history: History) -> Result:
    """I14: each record of the input topic is an event or a dead letter; only bad ones are dead letters."""
    result = Result("I14", "every record is taken in or parked once, and good ones are not parked")
    parked = Counter((r["topic"], r["partition"], r["offset"]) for r in history.dump.table("tool_sync.dead_letters"))
    for letter in history.dump.table("tool_sync.dead_letters"):
        if not letter["reason"]:
            result.broken("a dead letter has no reason", id=letter["id"])
    lines = {(line["topic"], line["partition"], line["offset"]): line for line in history.ledger("poison")}
    for message in history.input:
        result.judged += 1
        if lost_and_told(history, message):
            continue
        poison = lines.get(message.place)
        bad = poison is not None and not poison.get("readable")
        events = history.taken_in.get((message.key or "", message.id or ""), set())
        if parked[message.place] > 1:
            result.broken("a record is parked twice", place=message.place)
        if bad and not parked[message.place] and history.settings["at_rest"]:
            result.broken("a bad record is not parked", place=message.place, line=poison)
        if not bad and parked[message.place]:
            result.broken("a good record is parked", place=message.place, id=message.id)
        if not bad and not events and history.settings["at_rest"]:
            result.broken("a record is neither taken in nor parked", place=message.place, id=message.id)
        if not bad and "RequestUnreadable" in events:
            result.broken("a good record was called unreadable", place=message.place, id=message.id)
    return result
