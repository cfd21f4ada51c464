"""I7: what the log publishes is what is on the topic, in an order that no reader trips over."""

from collections import defaultdict

from tests.checker.history import PUBLISHED_EVENTS, Event, History
from tests.checker.verdict import Result
from tests.checker.wire import Message, canonical

SEQUENCE_DIGITS = 20


def check(history: History) -> Result:
    """Judge the outcomes topic against the log, and the sequences of both."""
    result = Result("I7", "log and topic say the same, sequence 1, 2, 3 … without a hole")
    events = {e.id: e for e in history.events_of(*PUBLISHED_EVENTS) if e.data.get("sequence") is not None}
    result.judged = len(events)
    _sequences(list(events.values()), result)
    seen: dict[str, Message] = {}
    for message in history.output:
        first = seen.setdefault(message.id or "", message)
        if canonical(first.body) != canonical(message.body):
            result.broken("two records of one id differ", id=message.id, places=[first.place, message.place])
        event = events.get(message.id or "")
        if event is None:
            result.broken("a record has no event", id=message.id, place=message.place)
        elif reason := _difference(event, message):
            result.broken(f"record and event differ: {reason}", place=message.place, **event.brief())
    if history.settings["at_rest"]:
        for event in events.values():
            if event.id not in seen:
                result.broken("an event is not on the topic", **event.brief())
    _readers(history.output, result)
    return result


def _sequences(events: list[Event], result: Result) -> None:
    last: dict[str, int] = defaultdict(int)
    for event in events:
        org, sequence = event.org or "", event.data["sequence"]
        if sequence != last[org] + 1:
            result.broken(f"sequence {sequence} follows {last[org]} in the log", **event.brief())
        last[org] = sequence


def _readers(messages: list[Message], result: Result) -> None:
    """Read as a subscriber does: the next one is applied, a lower one ignored, a higher one is a hole."""
    last: dict[str, int] = defaultdict(int)
    applied: dict[tuple[str, int], str | None] = {}
    for message in messages:
        org, sequence = message.key or "", message.body.get("sequence")
        if not isinstance(sequence, int):
            continue
        if sequence > last[org] + 1:
            result.broken(f"a reader at {last[org]} meets {sequence}", org=org, place=message.place)
        if applied.setdefault((org, sequence), message.id) != message.id:
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
