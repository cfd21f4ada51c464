"""I7: what the log publishes is what is on the topic, in an order that no reader trips over."""

from collections import defaultdict

from tests.checker.history import PUBLISHED_EVENTS, Event, History
from tests.checker.verdict import Result
from tests.checker.wire import Message, canonical

SEQUENCE_DIGITS = 20
Said = dict[str, dict[str, Event]]
"""By log, oldest first, and event id: what each log has published or is to publish."""


def check(history: History) -> Result:
    """Judge the outcomes topic against the log, and the sequences of both."""
    result = Result("I7", "log and topic say the same, sequence 1, 2, 3 … without a hole")
    events = _published(history.events)
    result.judged = len(events)
    said = {log_id: _published(log) for log_id, log in history.logs.items()}
    for log in said.values():
        _sequences(list(log.values()), result)
    seen: dict[str, Message] = {}
    for message in history.output:
        first = seen.setdefault(message.id or "", message)
        if canonical(first.body) != canonical(message.body):
            result.broken("two records of one id differ", id=message.id, places=[first.place, message.place])
        event = said.get(message.log_id or "", {}).get(message.id or "")
        if event is None:
            result.broken("a record has no event", id=message.id, log=message.log_id, place=message.place)
        elif reason := _difference(event, message):
            result.broken(f"record and event differ: {reason}", place=message.place, **event.brief())
    if history.settings["at_rest"]:
        for event in events.values():
            if event.id not in seen:
                result.broken("an event is not on the topic", **event.brief())
    _readers(history.output, said, result)
    return result


def _published(log: list[Event]) -> dict[str, Event]:
    return {e.id: e for e in log if e.type in PUBLISHED_EVENTS and e.data.get("sequence") is not None}


def _begins(said: Said) -> dict[tuple[str, str], int]:
    """By log and organization: the sequence that it kept of the logs before it, after which a reader begins in it."""
    begins: dict[tuple[str, str], int] = {}
    earlier: set[str] = set()
    for log_id, events in said.items():
        begins |= {(log_id, e.org or ""): e.data["sequence"] for e in events.values() if e.id in earlier}
        earlier |= events.keys()
    return begins


def _sequences(events: list[Event], result: Result) -> None:
    last: dict[str, int] = defaultdict(int)
    for event in events:
        org, sequence = event.org or "", event.data["sequence"]
        if sequence != last[org] + 1:
            result.broken(f"sequence {sequence} follows {last[org]} in the log", **event.brief())
        last[org] = sequence


def _readers(messages: list[Message], said: Said, result: Result) -> None:
    """Read as a subscriber does: the next one is applied, a lower one ignored, a higher one is a hole.

    A later log is followed from where it forked, and an earlier one is not heard of again.
    """
    age, begins = {log_id: number for number, log_id in enumerate(said)}, _begins(said)
    last: dict[str, int] = {}
    followed: dict[str, int] = {}
    applied: dict[tuple[str, str, int], str | None] = {}
    for message in messages:
        org, log_id, sequence = message.key or "", message.log_id or "", message.body.get("sequence")
        if not isinstance(sequence, int) or log_id not in age:  # another log's record has no event
            continue
        if age[log_id] > followed.get(org, -1):
            followed[org], last[org] = age[log_id], begins.get((log_id, org), 0)
        elif age[log_id] < followed[org]:
            result.broken("a reader meets a log that it has left", log=log_id, place=message.place)
            continue
        if sequence > last[org] + 1:
            result.broken(f"a reader at {last[org]} meets {sequence}", org=org, place=message.place)
        if applied.setdefault((log_id, org, sequence), message.id) != message.id:
            result.broken(f"sequence {sequence} has two ids", org=org, place=message.place)
        last[org] = max(last[org], sequence)


def _difference(event: Event, message: Message) -> str | None:
    data, body = event.data, message.body
    if not (message.key == message.org == body.get("org_id") == event.org):
        return "organization"
    if message.sequence != f"{data['sequence']:0{SEQUENCE_DIGITS}d}":
        return "header ce_sequence"
    for name in ("sequence", "agent_id", "assistant_id", "revision"):
        if data.get(name) != body.get(name):
            return name
    named = [str(request["request_id"]) for request in data.get("requests") or []]
    if named != message.requests:
        return "requests"
    tools = [(tool["name"], tool["vapi_tool_id"]) for tool in data.get("tools") or []]
    if tools != [(tool["name"], tool["vapi_tool_id"]) for tool in body.get("tools") or []]:
        return "tools"
    return None
