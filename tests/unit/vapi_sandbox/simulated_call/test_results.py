"""Which answers the model hears, and what is reported about their shape."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from .phone import Phone, result, results, tool


async def _entry(phone: Phone, answer: httpx.Response) -> dict[str, Any]:
    phone.endpoint.reactions = [answer]
    return await phone.one(await phone.assistant(tool()))


@pytest.mark.parametrize("kind", ["result", "error"])
async def test_a_single_line_under_the_exact_id_is_heard(phone: Phone, kind: str) -> None:
    entry = await _entry(phone, results(result("Booked: Monday, 10:00.", kind=kind)))
    assert (entry["heard"], entry["unheard"]) == ({"as": kind, "text": "Booked: Monday, 10:00."}, None)
    assert entry["problems"] == []


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (results(), "no result has the toolCallId 'call_1'"),
        (results(result(id_="Call_1")), "results.0: no tool call has the id 'Call_1'"),
        (results({"name": "book", "result": "ok"}), "results.0: no tool call has the id None"),
        (results(result({"booked": True})), "result must be a string, not dict"),
        (results(result(7, kind="error")), "error must be a string, not int"),
        (results(result("one\ntwo")), "result must be a single line"),
        (results(result("one\r")), "result must be a single line"),
        (results(result("one\u2028two")), "result must be a single line"),
        (results({"toolCallId": "call_1", "name": "book"}), "there must be one of result and error, not neither"),
        (httpx.Response(200, json={"toolCallId": "call_1", "result": "ok"}), "the body has no array `results`"),
        (httpx.Response(200, json=[result()]), "the body has no array `results`"),
        (httpx.Response(200, text="<html>"), "the body is no JSON"),
        (httpx.Response(200, content=b"\xff\xfe"), "the body is no JSON"),
        (httpx.Response(200, content=b"[" * 200_000), "the body is no JSON"),
        (httpx.Response(200, content=b" " * 1_000_001), "attempt 1: the answer is longer than 1000000 bytes"),
    ],
)
async def test_a_wrong_shape_is_not_heard(phone: Phone, answer: httpx.Response, problem: str) -> None:
    entry = await _entry(phone, answer)
    assert entry["heard"]["as"] == "nothing"
    assert any(sentence.startswith(problem) for sentence in entry["problems"]), entry["problems"]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (results({"toolCallId": "call_1", "result": "ok"}), "name is None, not 'book'"),
        (results(result(name="Book")), "name is 'Book', not 'book'"),
        (results(result(), result("again")), "2 results have the toolCallId 'call_1'; the first counts"),
        (results({**result(), "error": "no"}), "there must be one of result and error, not result and error"),
        (results(result(), result(id_="x")), "results.1: no tool call has the id 'x'"),
        (results(result(), "x"), "results.1: no tool call has the id None"),  # type: ignore[arg-type]  # on purpose
        (
            httpx.Response(200, text='{"results": [{"toolCallId": "call_1", "name": "book", "result": "ok"}]}'),
            "Content-Type is 'text/plain; charset=utf-8', not application/json",
        ),
    ],
)
async def test_a_careless_shape_is_heard_and_reported(phone: Phone, answer: httpx.Response, problem: str) -> None:
    entry = await _entry(phone, answer)
    assert entry["heard"] == {"as": "result", "text": "ok"}
    assert entry["problems"] == [problem]


async def test_several_tool_calls_get_each_its_own_answer_and_keep_their_order(phone: Phone) -> None:
    assistant = await phone.assistant(tool(), tool("cancel"))
    orders = {"name": "book", "id": "a"}, {"name": "cancel", "id": "b"}
    phone.endpoint.reactions = [results(result("one", "a"), result("two", "b", "cancel", "error"))]
    report = await phone.answered(*orders, assistantId=assistant)
    assert [entry["heard"] for entry in report["toolCalls"]] == [
        {"as": "result", "text": "one"},
        {"as": "error", "text": "two"},
    ]
    assert [entry["problems"] for entry in report["toolCalls"]] == [[], []]
    phone.endpoint.reactions = [results(result("two", "b", "cancel"), result("one", "a"))]
    turned = await phone.answered(*orders, assistantId=assistant)
    assert [entry["heard"]["text"] for entry in turned["toolCalls"]] == ["one", "two"]
    for entry in turned["toolCalls"]:
        assert entry["problems"] == [
            "results are in another order than the tool calls: ['b', 'a'] instead of ['a', 'b']"
        ]
