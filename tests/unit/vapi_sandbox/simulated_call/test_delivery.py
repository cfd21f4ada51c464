"""Attempts, back-off, deadlines, repeated deliveries, and what is written down of them."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from vapi_sandbox import HmacKey

from ..caller import Time
from .phone import URL, Phone, make_phone, result, results, tool

FIXED = {"type": "fixed", "maxRetries": 3, "baseDelaySeconds": 2}


@pytest.mark.parametrize("status", [201, 204, 301, 307, 400, 401, 429, 500, 503])
async def test_anything_but_200_is_ignored(phone: Phone, status: int) -> None:
    phone.endpoint.reactions = [results(result(), status=status, headers={"location": "https://else.test/"})]
    entry = await phone.one(await phone.assistant(tool()))
    assert entry["heard"] == {"as": "nothing", "text": "No result returned."}
    assert entry["deliveries"][0]["statuses"] == [status]
    assert entry["problems"] == [f"attempt 1: status {status} is ignored, only 200 counts"]
    assert len(phone.endpoint.requests) == 1


@pytest.mark.parametrize(("kind", "waits"), [("fixed", [2, 2, 2]), ("exponential", [2, 4, 8])])
async def test_a_back_off_plan_repeats_the_same_bytes(phone: Phone, kind: str, waits: list[float]) -> None:
    phone.endpoint.reactions = [httpx.Response(503), httpx.ConnectError("refused"), httpx.Response(404)]
    entry = await phone.one(await phone.assistant(tool(backoffPlan={**FIXED, "type": kind})))
    assert entry["deliveries"][0]["statuses"] == [503, None, 404, 200]
    assert entry["heard"] == {"as": "result", "text": "ok"}
    assert entry["problems"][1] == "attempt 2: ConnectError: refused"
    assert phone.waits == waits
    assert len({request.content for request in phone.endpoint.requests}) == 1


async def test_a_plan_that_is_used_up_leaves_the_model_without_an_answer(phone: Phone) -> None:
    phone.endpoint.reactions = [httpx.Response(500) for _ in range(9)]
    entry = await phone.one(await phone.assistant(tool(backoffPlan=FIXED)))
    assert (entry["deliveries"][0]["statuses"], entry["heard"]["as"]) == ([500] * 4, "nothing")


@pytest.mark.parametrize("status", [202, 401])
async def test_other_successes_and_excluded_statuses_are_not_repeated(phone: Phone, status: int) -> None:
    phone.endpoint.reactions = [httpx.Response(status)]
    await phone.one(await phone.assistant(tool(backoffPlan={**FIXED, "excludedStatusCodes": [401]})))
    assert (len(phone.endpoint.requests), phone.waits) == (1, [])


async def test_each_attempt_is_signed_with_its_own_time(time: Time) -> None:
    phone = make_phone(time, HmacKey("the-key"))
    phone.endpoint.reactions = [httpx.Response(500)]
    await phone.one(await phone.assistant(tool(backoffPlan=FIXED)))
    assert [request.headers["x-timestamp"] for request in phone.endpoint.requests] == ["1790000000", "1790000002"]
    assert len({request.headers["x-signature"] for request in phone.endpoint.requests}) == 2


async def test_an_answer_after_the_timeout_does_not_count(phone: Phone) -> None:
    given_up = asyncio.Event()

    async def never(request: httpx.Request) -> httpx.Response:
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()
        raise AssertionError("the event was never set")

    phone.endpoint.reactions = [never]
    entry = await phone.one(await phone.assistant(tool(timeoutSeconds=1)))
    assert given_up.is_set()
    assert entry["deliveries"][0]["statuses"] == [None]
    assert entry["problems"] == ["attempt 1: no answer within 1 s"]
    assert entry["heard"]["as"] == "nothing"


@pytest.mark.parametrize(
    "url",
    [
        "nowhere",
        "ftp://clinic.test/",
        "http://",
        "http://[::1",
        "http://h:70000/",
        "http://a\ud800/",
        "http://h/\ud800",
    ],
)
async def test_a_url_that_cannot_be_called_is_a_problem_and_no_crash(phone: Phone, url: str) -> None:
    body = json.dumps({"server": {"url": url}, "model": INLINE})  # the client's own JSON refuses half a surrogate pair
    made = await phone.vapi.http.post("/assistant", content=body, headers={"content-type": "application/json"})
    entry = await phone.one(made.json()["id"])
    assert entry["deliveries"][0]["statuses"] == [None]
    assert entry["problems"][0].startswith("attempt 1: InvalidURL: ")
    assert phone.endpoint.requests == []
    assert entry["heard"]["as"] == "nothing"


INLINE = {"provider": "openai", "model": "gpt-4o", "tools": [tool("book", None)]}


async def test_the_model_of_an_async_tool_is_told_at_once_and_never_hears_the_answer(phone: Phone) -> None:
    phone.endpoint.reactions = [results(result("booked for Monday"))]
    entry = await phone.one(await phone.assistant(tool(is_async=True)))
    assert entry["async"] is True
    assert entry["heard"] == {"as": "resolved", "text": "Success."}
    assert entry["unheard"] == {"as": "result", "text": "booked for Monday"}
    assert len(phone.endpoint.requests) == 1


async def test_an_async_tool_whose_webhook_fails_sounds_the_same(phone: Phone) -> None:
    phone.endpoint.reactions = [httpx.Response(500)]
    entry = await phone.one(await phone.assistant(tool(is_async=True)))
    assert (entry["heard"]["as"], entry["unheard"]) == ("resolved", None)
    assert entry["problems"] != []


async def test_what_the_model_waits_for_does_not_travel_with_what_it_does_not_wait_for(phone: Phone) -> None:
    assistant = await phone.assistant(tool(is_async=True), tool("cancel"))
    report = await phone.answered({"name": "book"}, {"name": "cancel"}, {"name": "book"}, assistantId=assistant)
    assert [entry["async"] for entry in report["toolCalls"]] == [True, False, True]
    names = [[call["function"]["name"] for call in message["toolCallList"]] for message in phone.endpoint.messages()]
    assert sorted(names) == [["book", "book"], ["cancel"]]


async def test_a_webhook_is_delivered_as_often_as_told(phone: Phone) -> None:
    phone.endpoint.reactions = [results(result("first")), results(result("other\nline")), httpx.Response(500)]
    entry = await phone.one(await phone.assistant(tool()), deliveries=3)
    assert [delivery["answer"] for delivery in entry["deliveries"]] == [{"as": "result", "text": "first"}, None, None]
    assert entry["heard"]["text"] == "first"
    assert [problem.split(":")[0] for problem in entry["problems"]] == ["delivery 2", "delivery 3"]
    assert len({request.content for request in phone.endpoint.requests}) == 1


async def test_a_later_order_can_repeat_an_earlier_one(phone: Phone) -> None:
    assistant = await phone.assistant(tool())
    for _ in range(2):
        await phone.one(assistant, callId="again")
    seen = [(m["call"]["id"], m["toolCallList"][0]["id"]) for m in phone.endpoint.messages()]
    assert seen == [("again", "call_1")] * 2


async def test_the_journal_and_the_counters_have_every_attempt(phone: Phone) -> None:
    phone.endpoint.reactions = [httpx.Response(503), httpx.ReadError("cut")]
    await phone.one(await phone.assistant(tool(backoffPlan=FIXED)))
    entries = await phone.vapi.journal(path=URL)
    assert [(e["origin"], e["route"], e["status"], e["delivered"], e["executed"]) for e in entries] == [
        ("call", "tool-calls webhook", 503, True, False),
        ("call", "tool-calls webhook", None, False, False),
        ("call", "tool-calls webhook", 200, True, False),
    ]
    assert entries[0]["body"] == json.loads(phone.endpoint.requests[0].content)
    assert all(entry["finished"] for entry in entries)
    summary = await phone.vapi.summary()
    assert summary["webhooks"] == {URL: {"503": 1, "none": 1, "200": 1}}
    assert summary["simulated_calls"] == {"made": 1, "refused": 0}
    assert "tool-calls webhook" not in summary["requests"]
    await phone.vapi.http.post("/__sandbox/reset", json={"only": ["journal"]})
    assert (await phone.vapi.summary())["webhooks"] == {}
