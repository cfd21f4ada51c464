"""Reading what Vapi sends, in every shape that was seen on the wire or in its documents.

    {"message": {"type": "tool-calls", "call": {"id": …},
                 "toolCallList" | "toolCalls": [{"id": …, "function": {"name": …, "arguments": {…} | "{…}"}}],
                 "toolWithToolCallList": [{"function": {"name": …}, "toolCall": {"id": …, …}}]}}

The name is in `function.name` or `name`, or either of them inside `tool`; the arguments are in `function` or beside it,
called `arguments` or `parameters`, an object or JSON in a string, which a model may have put into a code fence or
written with line breaks inside its texts. The id is in `id` or `toolCallId`. The same calls are usually in all three
lists; the first list of which every entry can be read counts, else the first that has any.

    {"message": {"type": "function-call", "functionCall": {"name": …, "parameters": {…}}}}

is what tool calls were before there were several in a message; some gateways still send it. It has no id.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from assistant_api.limits import WEBHOOK_VALUES_MAX
from assistant_api.problem import Problem
from assistant_api.strict_json import read_json
from assistant_api.tool_calls.identity import NOBODY_KNOWS, Id, stored_conversation
from zerotouch_contracts.text import is_identifier

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


# Of the call, or of the object that stands beside it; in a chat as in `_CONVERSATION`.
_ASSISTANT: Final = (("call", "assistantId"), ("assistant", "id"), ("chat", "assistantId"), ("session", "assistantId"))

TOOL_CALLS: Final = "tool-calls"
FUNCTION_CALL: Final = "function-call"

FENCE: Final = "```"
BYTES_AT_ONCE: Final = 256 * 1024
"""A longer body is read in a thread, so that everybody else is served meanwhile."""
CALLS_READ_MAX: Final = 100
"""Of each list of a message; a model asks for one or two at a time. Sixty thousand took 0.4 s."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call. ``id`` is None where there is none, so that nobody could be answered; ``arguments`` where they are no
    JSON object."""

    id: Id | None
    name: str
    arguments: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class ToolCalls:
    """All calls of a request, in order. ``conversation`` as it is stored, '' where nothing says which one it is.

    ``kind`` is the message's type; calls are in `tool-calls` and `function-call` only. ``caller`` is the number that
    Vapi reports of who is on the phone, if any. ``assistant_id`` is the assistant's at Vapi, where it is said in the
    form of an id.
    """

    conversation: str
    calls: tuple[ToolCall, ...]
    kind: str = TOOL_CALLS
    caller: str | None = None
    assistant_id: str | None = None


async def read_tool_calls_aside(raw: bytes) -> ToolCalls:
    """As :func:`read_tool_calls`; everybody else is served while a long body is read."""
    return read_tool_calls(raw) if len(raw) <= BYTES_AT_ONCE else await asyncio.to_thread(read_tool_calls, raw)


def read_tool_calls(raw: bytes) -> ToolCalls:
    """The calls in a request's body; none where it is a message of another kind. 400 where it is not JSON."""
    message = _object(_object(read_json(raw, values_max=WEBHOOK_VALUES_MAX)).get("message"))
    kind = message.get("type", TOOL_CALLS)
    match kind:
        case "tool-calls":
            calls = tuple(_call(around, call) for around, call in _entries(message))
        case "function-call":
            calls = (_function_call(_object(message.get("functionCall"))),)
        case _:
            return ToolCalls(NOBODY_KNOWS, (), _text(kind))
    return ToolCalls(_conversation(message), calls, kind, _caller(message), _assistant(message))


def _assistant(message: Mapping[str, Any]) -> str | None:
    """By which assistant's conversation it came, in a phone call, a web call or a chat."""
    named = (_object(message.get(kind)).get(key) for kind, key in _ASSISTANT)
    return next((said for value in named if is_identifier(said := _text(value))), None)


def _caller(message: Mapping[str, Any]) -> str | None:
    of_the_call = _object(_object(message.get("call")).get("customer"))
    return _text(of_the_call.get("number")) or _text(_object(message.get("customer")).get("number")) or None


def _conversation(message: Mapping[str, Any]) -> str:
    for kind, key in _CONVERSATION:
        found = _id(_object(message.get(kind)).get(key))
        if found not in {None, ""}:
            return stored_conversation("call" if (kind, key) == ("call", "id") else f"{kind}.{key}", found)
    return NOBODY_KNOWS


Entry = tuple[Mapping[str, Any], Mapping[str, Any]]
"""What stands around a call, and the call."""


def _entries(message: Mapping[str, Any]) -> list[Entry]:
    lists = [
        *(
            [(_object(item), _object(item)) for item in _calls(message.get(name))]
            for name in ("toolCallList", "toolCalls")
        ),
        [
            (_object(item), _object(_object(item).get("toolCall")))
            for item in _calls(message.get("toolWithToolCallList"))
        ],
    ]
    filled = [entries for entries in lists if entries]
    whole = (entries for entries in filled if all(_can_be_read(_call(*entry)) for entry in entries))
    return next(whole, next(iter(filled), []))


def _can_be_read(call: ToolCall) -> bool:
    return call.id is not None and call.name != "" and call.arguments is not None


def _call(around: Mapping[str, Any], call: Mapping[str, Any]) -> ToolCall:
    function = _object(call.get("function"))
    # Not those around it: `parameters` of a tool are its schema.
    places = ((function, "arguments"), (function, "parameters"), (call, "arguments"), (call, "parameters"))
    given = next((place[key] for place, key in places if place.get(key) is not None), None)
    ids = (place[key] for place in (call, around) for key in ("id", "toolCallId") if place.get(key) is not None)
    name = next((name for place in (call, around) for name in _names(place)), "")
    return ToolCall(_id(next(ids, None)), name, _arguments(given))


def _names(place: Mapping[str, Any]) -> Iterator[str]:
    """The names that a call, or what stands around it, gives to the function, most telling first."""
    tool = _object(place.get("tool"))
    for named in (_object(place.get("function")), place, _object(tool.get("function")), tool):
        if name := _text(named.get("name")):
            yield name


def _function_call(call: Mapping[str, Any]) -> ToolCall:
    """A call of the older form. Within its conversation it is known by what it asks for."""
    read = _call({}, call)
    return ToolCall(FUNCTION_CALL if read.id is None else read.id, read.name, read.arguments)


def _arguments(given: object) -> Mapping[str, Any] | None:
    if isinstance(given, str):
        text = without_fence(given).encode("utf-8", "surrogatepass")
        try:
            given = read_json(text, line_breaks_in_text=True, values_max=WEBHOOK_VALUES_MAX)
        except Problem:
            return None
    return given if isinstance(given, dict) else None


def without_fence(text: str) -> str:
    """What is inside of ```json … ```, as models answer that were trained on Markdown; without a fence the text itself.

    What stands around a fence is no arguments. By hand: as an expression, of spaces alone, it was cubic.
    """
    inner = text.strip()
    if len(inner) < 2 * len(FENCE) or not (inner.startswith(FENCE) and inner.endswith(FENCE)):
        return text
    inner = inner[len(FENCE) : -len(FENCE)]
    language = next((place for place, char in enumerate(inner) if not (char.isalnum() or char == "_")), len(inner))
    return inner[language:].strip()


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _calls(value: object) -> list[Any]:
    return value[:CALLS_READ_MAX] if isinstance(value, list) else []


def _id(value: object) -> Id | None:
    return value if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
