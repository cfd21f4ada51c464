"""`feed` and `stream`: published events over HTTP to one reader; `feed_latency_p99_ms`: how late a waiting one hears.

The server is `tool-sync run` with default settings; the reader is another process and decodes what it gets. It follows
the `Link` to the next page before it decodes this one, so that the server makes one meanwhile. The latency is from the
call of append, in the reader's process, to the answer of the long poll, so the commit is in it.
"""

import asyncio
import time
from typing import Any
from uuid import UUID, uuid4

import aiohttp
from pydantic_core import from_json
from yarl import URL

from benchmarks import sides
from benchmarks.errors import NotMeasured
from benchmarks.figures import Say, percentile
from benchmarks.filled_log import EVENTS_OF_AN_ORG, PUBLISHED_OF_AN_ORG
from benchmarks.rows import Row
from benchmarks.world import Corner, World
from devstack import services
from devstack.ports import free_port
from tool_sync import db
from tool_sync.domain.events import AssistantSynced
from tool_sync.log import AppendRequest, EventLog, Meta, NewEvent, toolset_stream

PAGE = 1_000
LATENCIES = 300
SENT_SECONDS = 0.001
"""Until a request has left; decoding keeps the loop busy."""
START_SECONDS_MAX = 60.0
META = Meta("benchmark", "benchmark", None, "benchmark", "0")


async def measure(world: World, place: Corner, events: int, rounds: int, say: Say) -> list[Row]:
    """The rows. Raises :class:`benchmarks.errors.NotMeasured`."""
    port = free_port()
    url = services.base_url(port)
    async with sides.running(world, place, sides.OURS, port=port) as child:
        await child.ready(lambda: services.not_ready(url), START_SECONDS_MAX)
        headers = {"Authorization": f"Bearer {world.signer.platform_token()}"}
        async with aiohttp.ClientSession(base_url=url, headers=headers) as client:
            rates = [await _read_all(client, events, say) for _ in range(rounds)]
            streamed = [await _stream_all(client, events, say) for _ in range(rounds)]
            late = [await _latency_ms(client, place, say) for _ in range(rounds)]
    return [
        Row("feed", "events/s", "higher", tuple(rates), goal="≥ 20,000"),
        Row("stream", "events/s", "higher", tuple(streamed), goal="≥ 20,000"),
        Row("feed_latency_p99_ms", "ms", "lower", tuple(late), goal="< 50"),
    ]


async def _page(client: aiohttp.ClientSession, after: int, **more: object) -> dict[str, Any]:
    query = "&".join(f"{name}={value}" for name, value in {"after": after, "limit": PAGE, **more}.items())
    body, _ = await _get(client, f"/v1/events?{query}")
    page: dict[str, Any] = from_json(body)
    return page


async def _get(client: aiohttp.ClientSession, url: str) -> tuple[bytes, str | None]:
    """The body, and the URL of the next page where more is there."""
    async with client.get(url) as answer:
        body = await answer.read()
        if answer.status != 200:
            raise NotMeasured(f"GET {url} answers {answer.status}: {body[:500]!r}")
        following = answer.links.get("next")
        return body, str(URL(following["url"]).relative()) if following is not None else None


async def _read_all(client: aiohttp.ClientSession, events: int, say: Say) -> float:
    expected = events // EVENTS_OF_AN_ORG * PUBLISHED_OF_AN_ORG
    started, number, last = time.perf_counter(), 0, 0
    following: asyncio.Task[tuple[bytes, str | None]] | None = asyncio.create_task(
        _get(client, f"/v1/events?after=0&limit={PAGE}")
    )
    while following is not None:
        body, url = await following
        following = asyncio.create_task(_get(client, url)) if url is not None else None
        await asyncio.sleep(SENT_SECONDS)
        page = from_json(body)
        for event in page["events"]:
            if event["position"] <= last:
                raise NotMeasured(f"position {event['position']} came after {last}")
            last = event["position"]
        number += len(page["events"])
    rate = number / (time.perf_counter() - started)
    if number < expected:
        raise NotMeasured(f"the feed gave {number} of {expected} events")
    say(f"  feed: {rate:,.0f} events/s")
    return rate


async def _stream_all(client: aiohttp.ClientSession, events: int, say: Say) -> float:
    """Server-sent events from the beginning, until as many have come as the log publishes."""
    expected = events // EVENTS_OF_AN_ORG * PUBLISHED_OF_AN_ORG
    started, number, last, rest = time.perf_counter(), 0, 0, b""
    async with client.get("/v1/events/stream?after=0") as answer:
        async for chunk in answer.content.iter_any():
            *blocks, rest = (rest + chunk).split(b"\n\n")
            for block in blocks:
                if not block.startswith(b"id: "):
                    continue
                event = from_json(block[block.index(b"data: ") + 6 :])
                if event["position"] <= last:
                    raise NotMeasured(f"position {event['position']} came after {last}")
                number, last = number + 1, event["position"]
            if number >= expected:
                break
    if number < expected:
        raise NotMeasured(f"the stream gave {number} of {expected} events")
    rate = number / (time.perf_counter() - started)
    say(f"  stream: {rate:,.0f} events/s")
    return rate


async def _latency_ms(client: aiohttp.ClientSession, place: Corner, say: Say) -> float:
    pool = await db.SESSIONS.pool(place.database.service, application_name="benchmark")
    log = EventLog(pool)
    committing = asyncio.create_task(log.run_forever())
    org_id: UUID = uuid4()
    found = []
    after = (await _page(client, 2**62))["head"]
    for number in range(LATENCIES):
        waiting = asyncio.create_task(_page(client, after, wait=20))
        await asyncio.sleep(0.02)  # so that it waits
        started = time.perf_counter()
        event = AssistantSynced("agent-1", "assistant-1", 1, "platform", (), (), 1, None, number + 1)
        request = AppendRequest(toolset_stream(org_id), org_id, None, (NewEvent(uuid4(), event),), META)
        _, page = await asyncio.gather(log.append(request), waiting)
        found.append((time.perf_counter() - started) * 1000)
        if len(page["events"]) != 1:
            raise NotMeasured(f"a waiting reader was answered with {len(page['events'])} events")
        after = page["scanned_through"]
    log.stop()
    await committing
    await pool.close()
    say(f"  feed latency: p50 {percentile(found, 50):.1f} ms, p99 {percentile(found, 99):.1f} ms")
    return percentile(found, 99)
