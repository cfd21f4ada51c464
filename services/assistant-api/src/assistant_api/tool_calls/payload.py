"""Reading what Vapi sends, in every shape that was seen on the wire or in its documents.

    {"message": {"type": "tool-calls", "call": {"id": …},
                 "toolCallList" | "toolCalls": [{"id": …, "function": {"name": …, "arguments": {…} | "{…}"}}],
                 "toolWithToolCallList": [{"function": {"name": …}, "toolCall": {"id": …, …}}]}}

The name is in `function.name` or `name`; the arguments are in `function` or beside it, called `arguments` or
`parameters`, an object or JSON in a string. The id is in `id` or `toolCallId`. The same calls are usually in all three
lists; the first list that has any counts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from assistant_api.body import read_json
from assistant_api.problems import Problem
from assistant_api.tool_calls.identity import NOBODY_KNOWS, Id, stored_conversation

# What identifies a conversation, most telling first. `call.id` is in every phone and web call; `chat` stands in its
# place in a text chat, of which each turn is a chat of its own, and the session what holds them together (Vapi's
# OpenAPI document, `ServerMessageToolCalls` and `Chat`, read 2026-11-28). The rest is for gateways in between.
_CONVERSATION: Final = (
    ("call", "id"),
    ("session", "id"),
    ("chat", "sessionId"),
    ("call", "sessionId"),
    ("chat", "id"),
    ("call", "phoneCallProviderId"),
)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call. ``id`` is None where there is none, so that nobody could be answered; ``arguments`` where they are no
    JSON object."""

    id: Id | None
    name: str
    arguments: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class ToolCalls:
    """All calls of a request, in order. ``conversation`` as it is stored, '' where nothing says which one it is;
    ``caller`` is the number that Vapi reports of who is on the phone, if any."""

    conversation: str
    calls: tuple[ToolCall, ...]
    caller: str | None = None


def read_tool_calls(raw: bytes) -> ToolCalls:
    """The calls in a request's body; none where it is a message of another kind. 400 where it is not JSON."""
    message = _object(_object(read_json(raw)).get("message"))
    if message.get("type", "tool-calls") != "tool-calls":
        return ToolCalls(NOBODY_KNOWS, ())
    calls = tuple(_call(around, call) for around, call in _entries(message))
    return ToolCalls(_conversation(message), calls, _caller(message))


def _caller(message: Mapping[str, Any]) -> str | None:
    of_the_call = _object(_object(message.get("call")).get("customer"))
    return _text(of_the_call.get("number")) or _text(_object(message.get("customer")).get("number")) or None


def _conversation(message: Mapping[str, Any]) -> str:
    for kind, key in _CONVERSATION:
        found = _id(_object(message.get(kind)).get(key))
        if found not in {None, ""}:
            return stored_conversation("call" if (kind, key) == ("call", "id") else f"{kind}.{key}", found)
    return NOBODY_KNOWS


def _entries(message: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """What stands around a call, and the call."""
    for name in ("toolCallList", "toolCalls"):
        if items := _list(message.get(name)):
            yield from ((_object(item), _object(item)) for item in items)
            return
    yield from (
        (_object(item), _object(_object(item).get("toolCall"))) for item in _list(message.get("toolWithToolCallList"))
    )


def _call(around: Mapping[str, Any], call: Mapping[str, Any]) -> ToolCall:
    function = _object(call.get("function"))
    name = _text(function.get("name")) or _text(call.get("name"))
    name = name or _text(_object(around.get("function")).get("name")) or _text(around.get("name"))
    places = ((function, "arguments"), (function, "parameters"), (call, "arguments"), (call, "parameters"))
    given = next((place[key] for place, key in places if place.get(key) is not None), None)
    ids = (place[key] for place in (call, around) for key in ("id", "toolCallId") if place.get(key) is not None)
    return ToolCall(_id(next(ids, None)), name, _arguments(given))


def _arguments(given: object) -> Mapping[str, Any] | None:
    if isinstance(given, str):
        try:
            given = read_json(given.encode("utf-8", "surrogatepass"))
        except Problem:
            return None
    return given if isinstance(given, dict) else None


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _id(value: object) -> Id | None:
    return value if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
