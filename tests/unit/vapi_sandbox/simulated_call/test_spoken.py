"""What the caller is told by a tool's messages."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from .phone import Phone, result, results, tool

START = {"type": "request-start", "content": "One moment, I am looking."}
COMPLETE = {"type": "request-complete", "content": "That is done."}
FAILED = {"type": "request-failed", "content": "That did not work."}
ALL = [FAILED, COMPLETE, START]


def said(*messages: dict[str, Any]) -> list[dict[str, str]]:
    return [{"type": message["type"], "text": message["content"]} for message in messages]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (results(result()), [START, COMPLETE]),
        (results(result(kind="error")), [START, FAILED]),
        (results(), [START, FAILED]),
        (httpx.Response(500), [START, FAILED]),
    ],
    ids=["a result", "an error", "nothing for this call", "a failed delivery"],
)
async def test_a_caller_hears_that_it_begins_and_how_it_ends(
    phone: Phone, answer: httpx.Response, expected: list[dict[str, Any]]
) -> None:
    phone.endpoint.reactions = [answer]
    entry = await phone.one(await phone.assistant({**tool(), "messages": ALL}))
    assert entry["spoken"] == said(*expected)


async def test_of_an_async_tool_only_the_end_is_said_whatever_it_answers(phone: Phone) -> None:
    phone.endpoint.reactions = [results(result(kind="error"))]
    entry = await phone.one(await phone.assistant({**tool(is_async=True), "messages": ALL}))
    assert entry["spoken"] == said(COMPLETE)


async def test_a_tool_without_a_server_begins_and_fails(phone: Phone) -> None:
    entry = await phone.one(await phone.assistant({**tool(url=None), "messages": ALL}))
    assert entry["spoken"] == said(START, FAILED)


@pytest.mark.parametrize("messages", [None, [], [COMPLETE | {"role": "system"}], [START | {"content": None}]])
async def test_a_tool_without_a_text_for_the_caller_says_nothing(phone: Phone, messages: object) -> None:
    entry = await phone.one(await phone.assistant(model=inline({**tool(), "messages": messages})))
    assert entry["spoken"] == []


async def test_of_several_messages_the_first_without_conditions_is_said(phone: Phone) -> None:
    conditions = [{"operator": "eq", "param": "service", "value": "Check-up"}]
    conditional = {"type": "request-start", "content": "A check-up, then.", "conditions": conditions}
    another = {"type": "request-start", "content": "Just a second."}
    entry = await phone.one(await phone.assistant({**tool(), "messages": [conditional, START, another]}))
    assert entry["spoken"] == said(START)


def inline(document: dict[str, Any]) -> dict[str, Any]:
    return {"provider": "openai", "model": "gpt-4o", "tools": [document]}


async def test_an_assistant_follows_a_change_of_its_tools_messages(phone: Phone) -> None:
    assistant = await phone.assistant({**tool(), "messages": [START]})
    (tool_id,) = await phone.vapi.listed()
    changed = {"type": "request-start", "content": "Let me see."}
    answer = await phone.vapi.http.patch(f"/tool/{tool_id}", json={"messages": [changed]})
    assert answer.status_code == 200, answer.text
    assert (await phone.one(assistant))["spoken"] == said(changed)
