"""What each action does to a request, told by its answer, the state and the journal."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.support.eventually import eventually

from vapi_sandbox import ConnectionCut
from vapi_sandbox.injection import HUGE_BYTES

from .caller import Caller, caller, rule, tool_body


@pytest.mark.parametrize("commit", [False, True])
async def test_a_status_comes_before_or_after_the_operation(vapi: Caller, commit: bool) -> None:
    await vapi.turn(rules=[rule("POST /tool", "status", status=502, body="html", commit=commit)])
    answer = await vapi.http.post("/tool", json=tool_body())
    assert answer.status_code == 502
    assert answer.headers["content-type"].startswith("text/html")
    assert "<h1>502 Bad Gateway</h1>" in answer.text
    assert len(await vapi.listed()) == int(commit)
    (entry,) = await vapi.journal(method="POST")
    assert (entry["executed"], entry["status"], entry["delivered"]) == (commit, 502, True)
    assert entry["rule"] == "POST /tool status"


@pytest.mark.parametrize(
    ("action", "text"),
    [
        ({"body": "text"}, "error code: 503"),
        ({"body": "empty"}, ""),
        ({}, '{"message":"Service Unavailable","error":"Service Unavailable","statusCode":503}'),
        ({"json": {"error": "x"}}, '{"error":"x"}'),
    ],
)
async def test_the_body_of_a_status(vapi: Caller, action: dict[str, Any], text: str) -> None:
    await vapi.turn(rules=[rule("GET /tool", "status", status=503, **action)])
    assert (await vapi.http.get("/tool")).text == text


@pytest.mark.parametrize("retry_after", [0, 86_400, "Mon, 21 Sep 2026 14:14:00 GMT", "garbage"])
async def test_429_with_any_retry_after(vapi: Caller, retry_after: int | str) -> None:
    await vapi.turn(rules=[rule("GET /tool", "status", status=429, retry_after=retry_after)])
    answer = await vapi.http.get("/tool")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, str(retry_after))


async def test_402_and_a_redirect_and_a_status_of_an_edge_proxy(vapi: Caller) -> None:
    elsewhere = {"location": "https://elsewhere.example.test/"}
    await vapi.turn(
        rules=[
            rule("GET /tool", "status", status=402),
            rule("GET /tool", "status", status=302, headers=elsewhere),
            rule("GET /tool", "status", status=520, body="html"),
        ]
    )
    answers = [await vapi.http.get("/tool") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [402, 302, 520]
    assert answers[0].json()["error"] == "Payment Required"
    assert answers[1].headers["location"] == elsewhere["location"]


@pytest.mark.parametrize("commit", [False, True])
async def test_in_a_process_a_cut_is_an_exception(vapi: Caller, commit: bool) -> None:
    await vapi.turn(rules=[rule("POST /tool", "reset", commit=commit)])
    with pytest.raises(ConnectionCut):
        await vapi.http.post("/tool", json=tool_body())
    (entry,) = await vapi.journal(method="POST")
    assert (entry["executed"], entry["status"], entry["delivered"]) == (commit, None, False)
    assert entry["finished"]
    assert await vapi.listed() == entry["created"]
    assert len(entry["created"]) == int(commit)


async def test_a_hanging_answer_comes_after_the_hold_if_the_caller_stays(vapi: Caller) -> None:
    await vapi.turn(rules=[rule("POST /tool", "hang", hold_ms=20)])
    assert (await vapi.http.post("/tool", json=tool_body())).status_code == 201


async def test_a_dripping_answer_is_complete_in_the_end(vapi: Caller) -> None:
    await vapi.turn(rules=[rule("POST /tool", "drip", bytes_per_step=50, step_ms=1)])
    answer = await vapi.http.post("/tool", json=tool_body())
    assert answer.status_code == 201
    assert await vapi.listed() == [answer.json()["id"]]


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


@pytest.mark.parametrize("form", ["truncated", "garbage", "html", "empty", "nan", "bom"])
async def test_a_spoilt_body_is_no_json(vapi: Caller, form: str) -> None:
    await vapi.turn(rules=[rule("POST /tool", "mangle", form=form)])
    answer = await vapi.http.post("/tool", json=tool_body())
    assert answer.status_code == 201
    with pytest.raises(ValueError):  # noqa: PT011  # which one depends on the form
        json.loads(answer.content.decode(), parse_constant=_no_constant)
    assert len(await vapi.listed()) == 1


async def test_a_spoilt_body_of_the_wrong_shape(vapi: Caller) -> None:
    tool = (await vapi.tool())["id"]
    forms = ["no_id", "other_name", "array", "null", "huge"]
    await vapi.turn(rules=[rule("GET /tool/{id}", "mangle", form=form) for form in forms])
    no_id, other_name, array, null, huge = [await vapi.http.get(f"/tool/{tool}") for _ in forms]
    assert "id" not in no_id.json()
    assert other_name.json()["function"]["name"] == "somebodyElse"
    assert array.json()[0]["id"] == tool
    assert null.json() is None
    assert len(huge.content) > HUGE_BYTES


async def test_a_list_can_be_spoilt_too(vapi: Caller) -> None:
    await vapi.tool()
    await vapi.turn(rules=[rule("GET /tool", "mangle", form="no_id")])
    assert all("id" not in tool for tool in (await vapi.http.get("/tool")).json())


async def test_a_revoked_key_stays_revoked_and_the_others_work(vapi: Caller, transport: httpx.ASGITransport) -> None:
    await vapi.turn(rules=[rule("POST /tool", "revoke_key")])
    assert (await vapi.http.post("/tool", json=tool_body())).status_code == 401
    assert (await vapi.http.get("/tool")).status_code == 401
    assert (await caller(transport, "second-key").http.get("/tool")).json() == []
    await vapi.http.patch("/__sandbox/dials", json={"revoked_keys": []})
    assert (await vapi.http.get("/tool")).status_code == 200


async def test_a_late_operation_takes_place_after_the_caller_has_left(vapi: Caller) -> None:
    await vapi.turn(rules=[rule("POST /tool", "late", delay_ms=60)])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await vapi.http.post("/tool", json=tool_body())
    assert await vapi.listed() == []

    async def took_place() -> bool:
        return len(await vapi.listed()) == 1

    await eventually(took_place)
    (entry,) = await vapi.journal(method="POST")
    assert (entry["executed"], entry["delivered"]) == (True, False)


async def test_another_writer_comes_between_a_read_and_a_write(vapi: Caller) -> None:
    made = await vapi.assistant(firstMessage="ours", voice={"provider": "vapi", "voiceId": "Elliot", "speed": 1})
    path = f"/assistant/{made['id']}"
    foreign = str(uuid4())
    merge = {"firstMessage": "theirs", "voice": {"speed": None, "style": "calm"}}
    await vapi.turn(
        rules=[rule("GET /assistant/{id}", "external_edit", merge=merge, append_tool_ids=[foreign], name="writer")]
    )
    assert (await vapi.http.get(path)).json() == made, "the caller sees the state before the edit"
    after = (await vapi.http.get(path)).json()
    assert after["firstMessage"] == "theirs"
    assert after["voice"] == {"provider": "vapi", "voiceId": "Elliot", "style": "calm"}
    assert after["model"] == {**made["model"], "toolIds": [foreign]}
    (edit,) = await vapi.journal(method="PATCH")
    assert (edit["origin"], edit["key"], edit["executed"]) == ("dial", None, True)
    assert (await vapi.summary())["assistant_writes"] == {}, "the counters are of callers only"


async def test_an_edit_of_what_is_gone_does_nothing(vapi: Caller) -> None:
    await vapi.turn(rules=[rule("GET /assistant/{id}", "external_edit", merge={"name": "x"})])
    assert (await vapi.http.get(f"/assistant/{uuid4()}")).status_code == 404
    assert await vapi.journal(method="PATCH") == []


async def test_two_writes_of_one_tool_at_once_conflict_where_the_dial_says_so(vapi: Caller) -> None:
    one, two = (await vapi.tool())["id"], (await vapi.tool())["id"]
    await vapi.turn(tool_write_conflict=True, latency_ms=20)

    async def write(tool: str) -> httpx.Response:
        return await vapi.http.patch(f"/tool/{tool}", json={"async": True})

    answers = await asyncio.gather(write(one), write(one), write(two))
    assert [answer.status_code for answer in answers] == [200, 409, 200]
    assert answers[1].json()["error"] == "tool_write_conflict"
    assert (await write(one)).status_code == 200


async def test_half_of_the_latency_lies_before_the_operation_and_half_behind_it(vapi: Caller) -> None:
    await vapi.turn(latency_ms=60)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    creation = asyncio.create_task(vapi.tool())

    async def committed() -> bool:
        return bool((await vapi.summary())["tool_creations"])

    await eventually(committed)
    assert loop.time() - begun >= 0.029
    assert not creation.done(), "the operation takes place before its answer is there"
    await creation
    assert loop.time() - begun >= 0.059


async def test_a_delay_of_one_route_leaves_the_others_alone(vapi: Caller) -> None:
    loop = asyncio.get_running_loop()
    await vapi.turn(rules=[rule("GET /tool", "delay", latency_ms=40)])
    begun = loop.time()
    assert await vapi.listed() == []
    assert loop.time() - begun >= 0.038
