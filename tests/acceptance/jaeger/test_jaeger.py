"""What a person sees in a real Jaeger: one trace per save, whatever happened on the way, and failures by their tags."""

import asyncio
import json
import time
from typing import Any
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaProducer
from tests.support.eventually import eventually

from ..kafka_topics import INPUT, every_record
from ..world import World
from .jaeger_server import Jaeger

PATIENCE_SECONDS = 40.0
TOUCH_SECONDS = 1.0
"""How often assistant-api's relay looks whether it still leads."""
HELD_SECONDS = 2.5
RELAY_LOCK = """FROM pg_locks WHERE locktype = 'advisory'
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
LAST = ("send tool-sync.outcomes.v1", "process tool-sync.outcomes.v1")


def named(spans: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [span for span in spans if span["operationName"] == name]


def tags(span: dict[str, Any]) -> dict[str, Any]:
    return {tag["key"]: tag["value"] for tag in span["tags"]}


def parents(span: dict[str, Any]) -> list[str]:
    # A consumer's span has its parent as a link too, and Jaeger then shows only the link.
    return [r["spanID"] for r in span["references"] if r["traceID"] == span["traceID"]]


def links(span: dict[str, Any]) -> list[tuple[str, str]]:
    return [(r["traceID"], r["spanID"]) for r in span["references"] if r["traceID"] != span["traceID"]]


async def test_one_trace_with_one_root_across_outbox_delay_two_retries_and_a_redelivery(
    seen: tuple[World, Jaeger],
) -> None:
    world, jaeger = seen
    org_id = await world.organization()
    await world.quiet()
    # Two reads of the assistant fail, and nothing leaves assistant-api's outbox for a while.
    failing = {"route": "GET /assistant/{id}", "times": 2, "action": {"kind": "status", "status": 503}}
    holder = await hold_the_relay(world)
    try:
        saved = await world.save(org_id)
        await world.vapi.dial([failing])
        await asyncio.sleep(HELD_SECONDS)  # the delay itself, not a wait for something
    finally:
        await holder.close()
    request_id = UUID(saved["requestId"])
    await world.outcomes.of(request_id, until=time.monotonic() + PATIENCE_SECONDS)
    await world.vapi.dial([])
    await redeliver(world, request_id)
    await world.taken_in()

    trace_id = saved["traceId"]

    async def has_both_deliveries() -> list[dict[str, Any]]:
        spans = await jaeger.trace_with(trace_id, *LAST)
        return spans if len(named(spans, "process assistants.v1")) == 2 else []

    spans = await eventually(has_both_deliveries, within_seconds=PATIENCE_SECONDS, every_seconds=0.5)
    ids = {span["spanID"] for span in spans}
    roots = [span for span in spans if not parents(span)]
    assert [root["operationName"] for root in roots] == ["POST /api/agents"]
    assert all(set(parents(span)) <= ids for span in spans)
    assert {span["service"] for span in spans} == {"assistant-api", "tool-sync"}

    (sent,) = named(spans, "send assistants.v1")
    assert sent["startTime"] - roots[0]["startTime"] >= HELD_SECONDS * 0.9 * 1_000_000
    reads = [span for span in named(spans, "GET /assistant/{id}") if span["service"] == "tool-sync"]
    assert sorted(tags(read)["http.response.status_code"] for read in reads)[-2:] == [503, 503]
    assert 200 in [tags(read)["http.response.status_code"] for read in reads]
    assert len(named(spans, "send tool-sync.outcomes.v1")) == 1, "the redelivery was answered by what is in the log"


async def test_a_failed_sync_is_found_by_its_tags(seen: tuple[World, Jaeger]) -> None:
    world, jaeger = seen
    org_id = await world.organization()
    refused = {"route": "POST /tool", "action": {"kind": "status", "status": 400, "json": {"message": ["name"]}}}
    await world.vapi.dial([refused])
    try:
        saved = await world.save(org_id)
        outcome = await world.outcomes.of(UUID(saved["requestId"]), until=time.monotonic() + PATIENCE_SECONDS)
    finally:
        await world.vapi.dial([])
    assert outcome.outcome.failed_tools
    await jaeger.trace_with(saved["traceId"], *LAST)
    for wanted in (
        {"org_id": str(org_id), "error.code": "TS-301"},
        {"assistant_id": saved["assistantId"]},
        {"org_id": str(org_id), "assistant_id": saved["assistantId"], "error.code": "TS-301"},
    ):
        assert await jaeger.find(json.dumps(wanted)) == {saved["traceId"]}
    nobody = {"org_id": str(org_id), "error.code": "TS-999"}
    assert await jaeger.find(json.dumps(nobody)) == set()


async def test_a_save_that_another_ones_run_settles_ends_in_a_span_that_links_to_it(
    seen: tuple[World, Jaeger],
) -> None:
    world, jaeger = seen
    org_id = await world.organization()
    slow = {"route": "POST /tool", "times": 1, "action": {"kind": "delay", "latency_ms": 3000}}
    await world.vapi.dial([slow])
    first = await world.save(org_id)  # its run waits for the tool; the others arrive meanwhile
    later = [await world.sync(first["agentId"]) for _ in range(3)]
    for one in (first, *later):
        await world.outcomes.of(UUID(one["requestId"]), until=time.monotonic() + PATIENCE_SECONDS)
    await world.vapi.dial([])
    own = await jaeger.trace_with(later[0]["traceId"], "sync org")
    (run,) = named(own, "sync org")
    for other in later[1:]:
        spans = await jaeger.trace_with(other["traceId"], "settled")
        (settled,) = named(spans, "settled")
        assert links(settled) == [(run["traceID"], run["spanID"])]
        assert tags(settled)["org_id"] == str(org_id)
    assert {trace_id for trace_id, _ in links(run)} >= {other["traceId"] for other in later[1:]}


async def hold_the_relay(world: World) -> Any:
    """Take the relay's lock away from its leader; closing the connection that is returned gives it back."""
    url = world.stack.database("assistant_api").admin
    holder = await asyncpg.connect(url)
    killer = await asyncpg.connect(url)
    try:
        key = await killer.fetchval(f"SELECT (classid::bigint << 32) | objid::bigint {RELAY_LOCK}")
        waiting = asyncio.create_task(holder.fetchval("SELECT pg_advisory_lock($1)", key))
        until = time.monotonic() + PATIENCE_SECONDS
        while not waiting.done():  # we are next in line; whoever leads meanwhile is ended
            assert time.monotonic() < until, "the lock was not to be had"
            await killer.fetchval(
                f"SELECT pg_terminate_backend(pid) {RELAY_LOCK} AND granted AND pid <> $1", holder.get_server_pid()
            )
            await asyncio.wait([waiting], timeout=0.1)
    finally:
        await killer.close()
    await asyncio.sleep(2 * TOUCH_SECONDS)  # within one it has noticed, and sends nothing more
    return holder


async def redeliver(world: World, request_id: UUID) -> None:
    """Put the record of a save on the topic once more, byte for byte."""
    records = await every_record(world.stack.bootstrap_servers, INPUT)
    (record,) = [r for r in records if dict(r.headers).get("ce_id") == str(request_id).encode()]
    producer = AIOKafkaProducer(bootstrap_servers=world.stack.bootstrap_servers, acks="all")
    await producer.start()
    try:
        await producer.send_and_wait(
            INPUT, value=record.value, key=record.key, partition=record.partition, headers=list(record.headers)
        )
    finally:
        await producer.stop()
