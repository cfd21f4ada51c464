"""Which assistant a tool call came from, as Vapi says it in each kind of conversation; a stranger's id is no id."""

from json import dumps
from typing import Any

import pytest
from pydantic_core import to_json

from assistant_api.tool_calls.payload import read_tool_calls
from zerotouch_contracts.events import ToolCallHandled

ID = "0198f0e4-5a10-7c60-8f00-3f1d2b6e7a10"


def said(**message: Any) -> str | None:
    return read_tool_calls(to_json({"message": {"type": "tool-calls", "toolCallList": [], **message}})).assistant_id


@pytest.mark.parametrize(
    "message",
    [
        {"call": {"assistantId": ID}},
        {"assistant": {"id": ID}, "call": {"id": "c"}},
        {"call": {"assistantId": None}, "assistant": {"id": ID}},
        {"call": {"assistantId": ""}, "chat": {"assistantId": ID}},
        {"session": {"assistantId": ID}},
        {"call": "c", "assistant": [], "session": {"assistantId": ID}},
    ],
)
def test_an_assistant_is_named(message: dict[str, Any]) -> None:
    assert said(**message) == ID


@pytest.mark.parametrize("given", [None, "", 7, {}, [ID], "a" * 65, "a b", "a\n", "-a", "é", "' OR 1", "\ud83d"])
def test_what_is_no_id_is_none(given: Any) -> None:
    body = dumps({"message": {"type": "tool-calls", "call": {"assistantId": given}}}).encode()
    assert read_tool_calls(body).assistant_id is None


def test_what_was_published_before_says_none_and_nothing_is_said_of_none() -> None:
    old = f'{{"org_id":"{ID}","tool":"book","definition_version":1,"code":"booked","duration_ms":1}}'
    message = ToolCallHandled.model_validate_json(old)
    assert message.assistant_id is None
    assert message.model_dump_json() == old
