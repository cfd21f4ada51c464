"""``GET /v1/fleet/events``: what became of tools and rollouts, beside `/v1/events`, and the kit that reads it."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from pydantic_core import from_json

from devstack.tokens import Signer
from tool_sync import db
from tool_sync.domain import events as e
from tool_sync.http.app import build
from tool_sync.http.state import HttpState
from tool_sync.log import AppendRequest, EventLog, NewEvent
from tool_sync.outcomes.feed import Tail, document_of
from tool_sync.outcomes.filters import Filter
from tool_sync.outcomes.pages import read_page
from tool_sync.outcomes.published import FLEET
from zerotouch_contracts.subscriber import FleetDelivered, FleetFeed, FleetSequencer, Marks
from zerotouch_platform import telemetry

from .making import META, did, registered, synced
from .test_feed import ask, bearer, positions

ROLLOUT = "3f9c1a2b"


def announced(number: int | None) -> e.ToolUpdateStarted:
    return e.ToolUpdateStarted(
        uuid4(), "platform", "bookClinicAppointment", "tool-1", 2, "b" * 64, ROLLOUT, 7, "", "rollout", 1, "a" * 64,
        number,
    )  # fmt: skip


def of_rollout(*events: e.FleetEvent) -> AppendRequest:
    return AppendRequest(f"rollout-{ROLLOUT}", None, None, tuple(NewEvent(uuid4(), event) for event in events), META)


STARTED = e.RolloutStarted(ROLLOUT, "bookClinicAppointment", 2, (), "shorter", None, fleet_sequence=1)
ENDED = e.RolloutCompleted(ROLLOUT, "bookClinicAppointment", "gate", fleet_sequence=2)


async def fleet(client: httpx.AsyncClient, query: str = "", **headers: str) -> dict[str, Any]:
    answer = await client.get(f"/v1/fleet/events?{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_each_feed_has_its_own_messages_alone(client: httpx.AsyncClient, event_log: EventLog) -> None:
    org = uuid4()
    await event_log.append_all([did(org, announced(1), synced(1), announced(None)), of_rollout(STARTED, ENDED)])
    told, outcomes = await fleet(client), await ask(client, "")
    assert (positions(told), positions(outcomes)) == ([1, 4, 5], [2])
    assert (told["scanned_through"], told["head"]) == (5, 5)
    first, begins, _ = told["events"]
    assert (first["type"], first["orgid"], first["sequence"]) == (
        "zerotouch.ToolChangeAnnounced.v1", str(org), "1".zfill(20),
    )  # fmt: skip
    assert (begins["type"], begins["rolloutid"]) == ("zerotouch.RolloutStarted.v1", ROLLOUT)
    assert "orgid" not in begins
    assert positions(await fleet(client, "type=RolloutEnded,ToolChangeAnnounced")) == [1, 5]
    answer = await client.get("/v1/fleet/events?type=ToolsSynced")
    assert (answer.status_code, "known are ToolChangeAnnounced" in answer.json()["detail"]) == (400, True)


async def test_a_document_says_what_the_headers_of_the_record_say(pool: db.Pool, event_log: EventLog) -> None:
    log_id = uuid4()
    await event_log.append_all([did(uuid4(), announced(1)), of_rollout(STARTED)])
    async with pool.acquire() as connection:
        page = await read_page(connection, after=0, head=2, wanted=Filter.of(published=FLEET), limit=10)
    assert len(page.events) == 2
    for event in page.events:
        record, document = event.record(log_id), from_json(document_of(event, log_id))
        names = {"content-type": "datacontenttype", "log_id": "logid"}
        expected = {names.get(name) or name.removeprefix("ce_"): value.decode() for name, value in record.headers}
        assert from_json(record.value) == document.pop("data")
        assert document == expected | {"position": event.position}


async def test_an_org_sees_what_it_is_told_and_nothing_of_another_or_of_rollouts(
    client: httpx.AsyncClient, event_log: EventLog, signer: Signer
) -> None:
    a, b = uuid4(), uuid4()
    await event_log.append_all([did(a, announced(1)), of_rollout(STARTED), did(b, announced(1)), did(a, announced(2))])
    own = bearer(signer.org_token(str(a)))
    assert positions(await fleet(client, **own)) == [1, 4]
    for path in ("/v1/fleet/events", "/v1/fleet/events/stream"):
        foreign = await client.get(f"{path}?org={b}", headers=own)
        assert (foreign.status_code, foreign.json()["code"]) == (404, "TS-904")
        assert (await client.get(path, headers={"Authorization": "Bearer x"})).status_code == 401


async def test_a_reader_of_one_topic_is_not_woken_by_the_other(
    client: httpx.AsyncClient, event_log: EventLog, tail: Tail, eventually: Any
) -> None:
    org = uuid4()
    await event_log.append(registered(org))
    waiting = asyncio.create_task(fleet(client, f"after=1&wait=20&org={org}"))

    async def waits() -> bool:
        return tail.waiting == 1

    await eventually(waits)
    await event_log.append(did(org, synced(1)))
    await asyncio.sleep(0)  # another reader's news
    await event_log.append(did(org, announced(1)))
    assert positions(await waiting) == [3]


async def test_the_kit_fills_a_hole_of_a_clinic_and_of_a_rollout_from_the_feed(
    state: HttpState, event_log: EventLog, signer: Signer
) -> None:
    org = uuid4()
    await event_log.append_all(
        [did(org, announced(1), announced(2)), did(uuid4(), announced(1)), of_rollout(STARTED, ENDED)]
    )
    transport = httpx.ASGITransport(build(state, telemetry.off()), raise_app_exceptions=False)
    async with FleetFeed("http://tool-sync", signer.platform_token, transport=transport) as feed:
        page = await feed.page(0)
        everything: Sequence[Any] = page.events
        assert [type(item) for item in everything] == [FleetDelivered] * 5
        sequencer = FleetSequencer(Marks(), feed)
        admitted = await sequencer.admit([everything[1], everything[4]])  # the first of each was lost on the way
        assert [(one.key, one.sequence) for one in admitted] == [
            (everything[0].key, 1), (everything[1].key, 2), (everything[3].key, 1), (everything[4].key, 2),
        ]  # fmt: skip
        assert sequencer.holes == 2
        assert everything[0].key == org


@pytest.mark.parametrize("path", ["/v1/fleet/events"])
async def test_a_final_page_is_kept_apart_from_the_other_topics(
    client: httpx.AsyncClient, event_log: EventLog, path: str
) -> None:
    org: UUID = uuid4()
    await event_log.append_all([did(org, announced(1), announced(2), synced(1), synced(2))])
    told = await client.get(f"{path}?limit=1")
    outcome = await client.get("/v1/events?limit=1")
    assert told.headers["link"].startswith(f"<{path}?")
    assert told.headers["etag"] != outcome.headers["etag"]
    again = await client.get(f"{path}?limit=1", headers={"If-None-Match": told.headers["etag"]})
    assert again.status_code == 304
