"""The journal and the counters: the judge of fault tests."""

from __future__ import annotations

import hashlib

import httpx
import pytest

from vapi_sandbox import DEFAULT_KEY, DEFAULT_VAPI_ORG, SandboxSettings, create_app

from .caller import Caller, Time, caller, rule, tool_body


async def test_an_entry_says_what_came_and_what_became_of_it(vapi: Caller, time: Time) -> None:
    answer = await vapi.http.post("/tool", json=tool_body())
    (entry,) = await vapi.journal()
    sent = answer.request.content
    assert entry == {
        "sequence": 1,
        "at": "2026-09-21T14:13:20.000Z",
        "monotonic_seconds": time.seconds,
        "origin": "client",
        "method": "POST",
        "path": "/tool",
        "query": "",
        "route": "POST /tool",
        "key": DEFAULT_KEY,
        "vapi_org": DEFAULT_VAPI_ORG,
        "body_sha256": hashlib.sha256(sent).hexdigest(),
        "body": tool_body(),
        "rule": None,
        "executed": True,
        "executed_monotonic_seconds": time.seconds,
        "created": [answer.json()["id"]],
        "status": 201,
        "delivered": True,
        "finished": True,
    }


async def test_refused_requests_are_in_it_too(vapi: Caller, transport: httpx.ASGITransport) -> None:
    await vapi.http.post("/tool", json={"type": "nothing"})
    await vapi.http.get("/nowhere", params={"a": "b"})
    await caller(transport, "nobody").http.get("/tool")
    entries = await vapi.journal()
    assert [(e["status"], e["executed"], e["key"]) for e in entries] == [
        (400, False, DEFAULT_KEY),
        (404, False, None),
        (401, False, None),
    ]
    assert entries[1]["query"] == "a=b"


async def test_the_control_plane_is_not_in_it(vapi: Caller) -> None:
    await vapi.turn(seed=2)
    assert await vapi.journal() == []


async def test_pages_go_on_after_a_sequence_number(vapi: Caller) -> None:
    for _ in range(5):
        await vapi.http.get("/tool")
    first = (await vapi.http.get("/__sandbox/journal", params={"limit": 3})).json()
    assert [entry["sequence"] for entry in first["entries"]] == [1, 2, 3]
    rest = (await vapi.http.get("/__sandbox/journal", params={"limit": 3, "after": first["next_after"]})).json()
    assert [entry["sequence"] for entry in rest["entries"]] == [4, 5]
    assert rest["next_after"] is None


async def test_pages_of_one_method_and_path(vapi: Caller) -> None:
    tool = (await vapi.tool())["id"]
    await vapi.http.get(f"/tool/{tool}")
    await vapi.http.get("/tool")
    await vapi.assistant()
    assert [entry["path"] for entry in await vapi.journal(method="GET")] == [f"/tool/{tool}", "/tool"]
    assert [entry["method"] for entry in await vapi.journal(path="/tool")] == ["POST", "GET"]
    assert [entry["path"] for entry in await vapi.journal(path="/tool/{id}")] == [f"/tool/{tool}"]
    assert [entry["path"] for entry in await vapi.journal(path=f"/tool/{tool}")] == [f"/tool/{tool}"]


@pytest.mark.parametrize("query", [{"after": "x"}, {"after": -1}, {"limit": 0}, {"limit": 10_001}])
async def test_a_wrong_page_is_400(vapi: Caller, query: dict[str, str]) -> None:
    assert (await vapi.http.get("/__sandbox/journal", params=query)).status_code == 400


async def test_bodies_can_be_left_out(time: Time) -> None:
    transport = httpx.ASGITransport(create_app(SandboxSettings(keep_bodies=False), time.clock()))
    vapi = caller(transport, DEFAULT_KEY)
    answer = await vapi.http.post("/tool", json=tool_body())
    (entry,) = await vapi.journal()
    assert entry["body"] is None
    assert entry["body_sha256"] == hashlib.sha256(answer.request.content).hexdigest()


async def test_creations_are_counted_by_marker_and_name_and_by_key(
    vapi: Caller, transport: httpx.ASGITransport
) -> None:
    second = caller(transport, "second-key")
    ids = [(await vapi.tool("book", "one"))["id"], (await second.tool("book", "one"))["id"]]
    await vapi.tool("cancel", "one")
    await vapi.http.post("/tool", json={"type": "nothing"})
    await vapi.http.delete(f"/tool/{ids[0]}")
    summary = await vapi.summary()
    book, cancel = summary["tool_creations"]
    assert (book["organization_id"], book["tool_name"], book["count"], book["ids"]) == ("one", "book", 2, ids)
    assert book["by_key"] == {DEFAULT_KEY: 1, "second-key": 1}
    assert (cancel["tool_name"], cancel["count"]) == ("cancel", 1)
    assert sorted((live["tool_name"], live["ids"]) for live in summary["live_tools"]) == [
        ("book", [ids[1]]),
        ("cancel", cancel["ids"]),
    ]
    assert summary["tool_deletions"] == {ids[0]: 1}


async def test_a_creation_that_nobody_was_told_of_is_counted(vapi: Caller) -> None:
    await vapi.turn(rules=[rule("POST /tool", "status", status=500, commit=True)])
    await vapi.http.post("/tool", json=tool_body())
    (made,) = (await vapi.summary())["tool_creations"]
    assert made["count"] == 1


async def test_writes_are_counted_by_assistant(vapi: Caller) -> None:
    made = [await vapi.assistant(metadata={"agent": "a"}), await vapi.assistant(metadata={"agent": "a"})]
    one = made[0]["id"]
    for _ in range(2):
        await vapi.http.patch(f"/assistant/{one}", json={"name": "n"})
    await vapi.http.patch(f"/assistant/{one}", json={"tools": []})
    summary = await vapi.summary()
    assert summary["assistant_writes"] == {one: 2}
    (creations,) = summary["assistant_creations"]
    assert (creations["metadata"], creations["count"]) == ({"agent": "a"}, 2)
    assert summary["requests"]["PATCH /assistant/{id}"] == {"200": 2, "400": 1}


async def test_the_busiest_minute_is_kept(vapi: Caller, foreigner: Caller, time: Time) -> None:
    for _ in range(3):
        await vapi.http.get("/tool")
    time.pass_(60)
    await vapi.http.get("/tool")
    await foreigner.http.get("/tool")
    busiest = (await vapi.summary())["busiest_minute"]
    assert sorted(busiest.values()) == [1, 3]
    assert busiest[DEFAULT_VAPI_ORG] == 3
