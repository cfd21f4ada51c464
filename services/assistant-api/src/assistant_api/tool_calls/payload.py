"""Reading what Vapi sends, in every shape that was seen on the wire or in its documents.

    {"message": {"type": "tool-calls", "call": {"id": …},
                 "toolCallList" | "toolCalls": [{"id": …, "function": {"name": …, "arguments": {…} | "{…}"}}],
                 "toolWithToolCallList": [{"function": {"name": …}, "toolCall": {"id": …, …}}]}}

The name is in `function.name` or `name`; the arguments are in `function` or beside it, called `arguments` or
`parameters`, an object or JSON in a string. The same calls are usually in all three lists; the first list that has any
counts.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from assistant_api.body import read_json
from assistant_api.problems import Problem

_ID: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._:-]{0,127}")


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call. ``arguments`` is None where they are no JSON object; ``has_valid_id`` where its id can be stored."""

    id: str
    name: str
    arguments: Mapping[str, Any] | None

    @property
    def has_valid_id(self) -> bool:
        """Whether the id is 1 to 128 of ``A-Z a-z 0-9 . _ : -``."""
        return _ID.fullmatch(self.id) is not None


@dataclass(frozen=True, slots=True)
class ToolCalls:
    """All calls of a request, in order. ``call_id`` is the phone call's, '' where it is not named or not an id."""

    call_id: str
    calls: tuple[ToolCall, ...]


def read_tool_calls(raw: bytes) -> ToolCalls:
    """The calls in a request's body; none where it is a message of another kind. 400 where it is not JSON."""
    message = _object(_object(read_json(raw)).get("message"))
    call_id = _text(_object(message.get("call")).get("id"))
    if message.get("type", "tool-calls") != "tool-calls":
        return ToolCalls(call_id, ())
    return ToolCalls(
        call_id if _ID.fullmatch(call_id) else "", tuple(_call(around, call) for around, call in _entries(message))
    )


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
    return ToolCall(_text(call.get("id")), name, _arguments(given))


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


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
