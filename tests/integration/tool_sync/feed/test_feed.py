"""``GET /v1/events``: what is in it, for whom, how it waits and what may be kept."""

import asyncio
import time
from dataclasses import replace
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from pydantic_core import from_json

from devstack.tokens import Signer
from tool_sync import db
from tool_sync.http.state import HttpState
from tool_sync.log import EventLog, org_stream
from tool_sync.log.codec import Encoded
from tool_sync.log.statement import EncodedRequest, execute
from tool_sync.outcomes import pages
from tool_sync.outcomes.feed import Tail, document_of
from tool_sync.outcomes.filters import Filter
from tool_sync.outcomes.pages import read_page
from tool_sync.outcomes.published import FLEET, OUTCOMES
from zerotouch_contracts.events import OUTCOME_MESSAGES
from zerotouch_contracts.fleet import FLEET_MESSAGES
from zerotouch_contracts.subscriber import Delivered, Feed

from .making import TRACE, did, failed, registered, synced


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def ask(client: httpx.AsyncClient, query: str, **headers: str) -> dict[str, Any]:
    answer = await client.get(f"/v1/events?{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def positions(body: dict[str, Any]) -> list[int]:
    return [event["position"] for event in body["events"]]


def test_every_message_of_the_contract_is_in_the_feed() -> None:
    assert set(OUTCOMES.stored_as) == set(OUTCOME_MESSAGES)
    assert set(FLEET.stored_as) == set(FLEET_MESSAGES)


async def test_published_events_come_as_cloud_events_in_position_order(
    client: httpx.AsyncClient, event_log: EventLog, state: HttpState
) -> None:
    org = uuid4()
    request = did(org, synced(1), synced(None), failed(2))
    await event_log.append_all([registered(org), request])
    body = await ask(client, "")
    assert (body["log_id"], body["scanned_through"], body["head"]) == (str(state.log_id), 4, 4)
    assert positions(body) == [2, 4]  # what has no sequence is not published
    first = body["events"][0]
    assert first["id"] == str(request.events[0].event_id)
    assert (first["specversion"], first["type"]) == ("1.0", "zerotouch.ToolsSynced.v1")
    assert (first["orgid"], first["sequence"]) == (str(org), "1".zfill(20))
    assert (first["source"], first["logid"]) == ("/zerotouch/tool-sync", str(state.log_id))
    assert TRACE in first["traceparent"]
    assert first["datacontenttype"] == "application/json"
    assert first["data"]["tools"] == [
        {"name": "bookClinicAppointment", "vapi_tool_id": "tool-1", "definition_version": 1}
    ]


async def test_a_document_says_what_the_headers_of_the_record_say(pool: db.Pool, event_log: EventLog) -> None:
    org, log_id = uuid4(), uuid4()
    untraced = did(org, failed(2))
    await event_log.append_all([did(org, synced(1)), replace(untraced, meta=replace(untraced.meta, traceparent=None))])
    async with pool.acquire() as connection:
        page = await read_page(connection, after=0, head=2, wanted=Filter.of(), limit=10)
    assert len(page.events) == 2
    for event in page.events:
        record, document = event.record(log_id), from_json(document_of(event, log_id))
        names = {"content-type": "datacontenttype", "log_id": "logid"}
        expected = {names.get(name) or name.removeprefix("ce_"): value.decode() for name, value in record.headers}
        data = document.pop("data")
        assert document == expected | {"position": event.position}
        assert document_of(event, log_id).encode().endswith(b',"data":' + record.value + b"}")
        assert data == from_json(record.value)


async def test_pages_follow_each_other_and_filters_move_past_what_they_leave_out(
    client: httpx.AsyncClient, event_log: EventLog
) -> None:
    a, b = uuid4(), uuid4()
    await event_log.append_all([did(a, synced(1), failed(2)), did(b, synced(1), synced(2)), registered(b)])
    first = await ask(client, "limit=2")
    assert (positions(first), first["scanned_through"], first["head"]) == ([1, 2], 2, 5)
    second = await ask(client, "limit=2&after=2")
    assert (positions(second), second["scanned_through"]) == ([3, 4], 4)
    last = await ask(client, "limit=2&after=4")
    assert (positions(last), last["scanned_through"]) == ([], 5)
    for names in ("type=ToolSyncFailed", "type=zerotouch.ToolSyncFailed.v1"):
        only = await ask(client, names)
        assert (positions(only), only["scanned_through"]) == ([2], 5)
    assert positions(await ask(client, "type=ToolSyncFailed,ToolsSynced")) == [1, 2, 3, 4]
    assert positions(await ask(client, "type=ToolSyncFailed&type=AssistantDiverged")) == [2]
    of_b = await ask(client, f"org={b}&type=ToolsSynced")
    assert (positions(of_b), of_b["scanned_through"]) == ([3, 4], 5)


async def test_a_page_of_all_orgs_looks_at_a_limited_part_of_the_log(
    pool: db.Pool, event_log: EventLog, state: HttpState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "SCAN_MAX", 3)
    org = uuid4()
    await event_log.append_all([*(registered(org) for _ in range(4)), did(org, synced(1))])
    assert state.log_id is not None
    async with pool.acquire() as connection:
        first = await read_page(connection, after=0, head=5, wanted=Filter.of(), limit=10)
        assert (first.events, first.scanned_through, first.is_final) == ((), 3, True)
        second = await read_page(connection, after=3, head=5, wanted=Filter.of(), limit=10)
        assert ([event.position for event in second.events], second.scanned_through) == ([5], 5)


async def test_an_org_sees_its_own_events_and_nothing_of_another(
    client: httpx.AsyncClient, event_log: EventLog, signer: Signer
) -> None:
    a, b = uuid4(), uuid4()
    await event_log.append_all([did(a, synced(1)), did(b, synced(1)), did(a, synced(2))])
    own = bearer(signer.org_token(str(a)))
    assert positions(await ask(client, "", **own)) == [1, 3]
    assert positions(await ask(client, f"org={a}", **own)) == [1, 3]
    for path in ("/v1/events", "/v1/events/stream"):
        foreign = await client.get(f"{path}?org={b}", headers=own)
        assert (foreign.status_code, foreign.json()["code"]) == (404, "TS-904")
        assert (await client.get(path, headers={"Authorization": "Bearer x"})).status_code == 401


async def test_row_level_security_stands_behind_the_filter(
    pool: db.Pool, event_log: EventLog, state: HttpState
) -> None:
    a, b = uuid4(), uuid4()
    await event_log.append_all([did(a, synced(1)), did(b, synced(1))])
    assert state.log_id is not None
    async with db.tenant_tx(pool, a) as connection:
        page = await read_page(connection, after=0, head=2, wanted=Filter.of(), limit=10)
    assert [event.position for event in page.events] == [1]


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("after=-1", "after"), ("after=x", "after"), ("after=9223372036854775808", "after"), ("limit=0", "limit"),
        ("limit=1001", "limit"), ("wait=31", "wait"), ("wait=-1", "wait"), ("wait=nan", "wait"), ("org=x", "org"),
        ("type=Nothing", "Nothing"), ("type=ToolsSynced,", "unknown type ''"), ("log_id=x", "log_id"),
    ],
)  # fmt: skip
async def test_a_malformed_question_is_a_problem_that_names_the_place(
    client: httpx.AsyncClient, query: str, place: str
) -> None:
    answer = await client.get(f"/v1/events?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "TS-901")
    assert answer.headers["content-type"] == "application/problem+json"
    assert place in answer.json()["detail"]


async def test_a_cursor_beyond_the_head_waits_and_never_goes_back(
    client: httpx.AsyncClient, event_log: EventLog, tail: Tail
) -> None:
    await event_log.append(registered(uuid4()))
    started = time.monotonic()
    body = await ask(client, "after=50&wait=0.3")
    assert time.monotonic() - started >= 0.3
    assert (body["events"], body["scanned_through"], body["head"]) == ([], 50, 1)


async def test_a_waiting_reader_is_answered_when_something_of_its_org_is_published(
    client: httpx.AsyncClient, event_log: EventLog, tail: Tail, eventually: Any
) -> None:
    a, b = uuid4(), uuid4()
    await event_log.append(registered(a))
    waiting = asyncio.create_task(ask(client, f"after=1&wait=20&org={a}"))

    async def waits() -> bool:
        return tail.waiting == 1

    await eventually(waits)
    await event_log.append(did(b, synced(1)))  # another org's, and one that is not published
    await event_log.append(registered(a))
    await event_log.append(did(a, synced(1)))
    started = time.monotonic()
    body = await waiting
    assert time.monotonic() - started < 5
    assert (positions(body), body["scanned_through"]) == ([4], 4)


async def test_waiting_in_vain_still_moves_past_what_was_left_out(
    client: httpx.AsyncClient, event_log: EventLog, tail: Tail, eventually: Any
) -> None:
    org = uuid4()
    waiting = asyncio.create_task(ask(client, f"wait=1&org={org}"))

    async def waits() -> bool:
        return tail.waiting == 1

    await eventually(waits)
    await event_log.append(did(uuid4(), synced(1)))
    assert (await waiting)["scanned_through"] == 1


async def test_waits_end_when_the_process_stops(client: httpx.AsyncClient, tail: Tail, eventually: Any) -> None:
    waiting = asyncio.create_task(ask(client, "wait=30"))

    async def waits() -> bool:
        return tail.waiting == 1

    await eventually(waits)
    tail.stop()
    async with asyncio.timeout(2):
        assert (await waiting)["events"] == []


async def test_the_tail_finds_its_way_back_after_a_lost_connection(
    client: httpx.AsyncClient,
    event_log: EventLog,
    tail: Tail,
    admin: "asyncpg.Connection[asyncpg.Record]",
    eventually: Any,
) -> None:
    listening = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tool-sync feed'"
    await eventually(lambda: admin.fetchval(listening))
    waiting = asyncio.create_task(ask(client, "wait=20"))

    async def waits() -> bool:
        return tail.waiting == 1

    await eventually(waits)
    await event_log.append(did(uuid4(), synced(1)))
    assert positions(await waiting) == [1]


async def test_a_page_below_the_head_may_be_kept_and_the_end_of_the_log_may_not(
    client: httpx.AsyncClient, event_log: EventLog, state: HttpState
) -> None:
    org = uuid4()
    await event_log.append(did(org, synced(1), synced(2), synced(3)))
    full = await client.get("/v1/events?limit=2")
    assert full.headers["cache-control"] == "private, max-age=60"
    await event_log.append(did(org, synced(4)))
    again = await client.get("/v1/events?limit=2")
    assert again.headers["etag"] == full.headers["etag"]
    assert again.json()["events"] == full.json()["events"]
    same = await client.get("/v1/events?limit=2", headers={"If-None-Match": full.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    other = await client.get("/v1/events?limit=3", headers={"If-None-Match": full.headers["etag"]})
    assert other.status_code == 200
    named = await client.get(f"/v1/events?limit=2&log_id={state.log_id}")
    assert "immutable" in named.headers["cache-control"]
    end = await client.get("/v1/events?limit=10")
    assert end.headers["cache-control"] == "no-store"
    assert "etag" not in end.headers


async def test_a_page_names_the_next_one_where_more_is_there(client: httpx.AsyncClient, event_log: EventLog) -> None:
    org = uuid4()
    await event_log.append(did(org, *(synced(n) for n in range(1, 6))))
    asked, found = f"/v1/events?org={org}&type=ToolsSynced,ToolSyncFailed&limit=2", []
    for _ in range(2):
        page = await client.get(asked)
        found += positions(page.json())
        assert page.links["next"]["url"].startswith("/v1/events?")
        asked = page.links["next"]["url"]
    last = await client.get(asked)
    assert (found + positions(last.json()), last.links) == ([1, 2, 3, 4, 5], {})


async def test_a_reader_of_another_log_is_told_that_history_was_rewritten(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"/v1/events?log_id={uuid4()}")
    assert (answer.status_code, answer.json()["status"]) == (409, 409)
    assert "history was rewritten" in answer.json()["detail"]


async def test_an_event_of_a_newer_release_stops_the_feed_and_is_never_skipped(
    client: httpx.AsyncClient, event_log: EventLog, pool: db.Pool
) -> None:
    org = uuid4()
    await event_log.append(did(org, synced(1)))
    async with pool.acquire() as connection:
        strange = EncodedRequest(org_stream(org), org, None, "{}", (uuid4(),), (Encoded("Unheard", 1, "{}"),))
        await execute(connection, [strange])
    await event_log.append(did(org, synced(2)))
    body = await ask(client, "")
    assert (positions(body), body["scanned_through"]) == ([1], 1)
    stuck = await client.get("/v1/events?after=1")
    assert (stuck.status_code, stuck.json()["code"]) == (503, "TS-910")
    assert "position 2: Unheard" in stuck.json()["detail"]


async def test_the_subscriber_kit_reads_the_feed(
    event_log: EventLog, client: httpx.AsyncClient, signer: Signer
) -> None:
    org = uuid4()
    await event_log.append_all([registered(org), did(org, *(synced(n) for n in range(1, 8))), registered(org)])
    async with Feed("http://tool-sync", signer.platform_token, transport=client._transport) as feed:
        page = await feed.page(0, limit=5)
        assert [e.position for e in page.events if isinstance(e, Delivered)] == [2, 3, 4, 5, 6]
        rest = (await feed.page(6, org_id=org)).events
        assert [e.sequence for e in rest if isinstance(e, Delivered)] == [6, 7]
        assert [len(page.events) async for page in feed.pages(0)] == [7]
