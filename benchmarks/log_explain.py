"""`explain_p99_ms`: why a clinic has its tool, and what happened to its assistant, over HTTP beside a long log.

The server is `tool-sync run` with default settings. Another clinic is asked about each time.
"""

import random
import time

import aiohttp
from pydantic_core import from_json

from benchmarks import sides
from benchmarks.errors import NotMeasured
from benchmarks.figures import Say, percentile
from benchmarks.filled_log import EVENTS_OF_AN_ORG
from benchmarks.rows import Row
from benchmarks.world import Corner, World
from devstack import services
from devstack.ports import free_port
from tool_sync import db

QUESTIONS = 300
TOOL = "bookClinicAppointment"
START_SECONDS_MAX = 60.0
_ORGS = "SELECT org_id FROM events WHERE position = ANY ($1::bigint[])"


async def measure(world: World, place: Corner, events: int, rounds: int, say: Say) -> list[Row]:
    """The row. Raises :class:`benchmarks.errors.NotMeasured`."""
    port = free_port()
    url = services.base_url(port)
    orgs = await _some_orgs(place, events, QUESTIONS * rounds)
    async with sides.running(world, place, sides.OURS, port=port) as child:
        await child.ready(lambda: services.not_ready(url), START_SECONDS_MAX)
        headers = {"Authorization": f"Bearer {world.signer.platform_token()}"}
        async with aiohttp.ClientSession(base_url=url, headers=headers) as client:
            late = [await _p99_ms(client, orgs[n * QUESTIONS : (n + 1) * QUESTIONS], say) for n in range(rounds)]
    return [Row("explain_p99_ms", "ms", "lower", tuple(late), goal="< 200")]


async def _some_orgs(place: Corner, events: int, number: int) -> list[str]:
    firsts = random.Random(1).sample(range(1, events, EVENTS_OF_AN_ORG), number)
    connection = await db.SESSIONS.connect(place.database.service, application_name="benchmark")
    try:
        return [str(row["org_id"]) for row in await connection.fetch(_ORGS, firsts)]
    finally:
        await connection.close()


async def _p99_ms(client: aiohttp.ClientSession, orgs: list[str], say: Say) -> float:
    found = []
    for org_id in orgs:  # in the filled log an assistant has its clinic's id
        for path in (f"/v1/orgs/{org_id}/tools/{TOOL}/why", f"/v1/assistants/{org_id}/explain"):
            started = time.perf_counter()
            async with client.get(path) as answer:
                body = await answer.read()
            found.append((time.perf_counter() - started) * 1000)
            if answer.status != 200:
                raise NotMeasured(f"GET {path} answers {answer.status}: {body[:500]!r}")
            document = from_json(body)
            if not (document.get("events") or document["assistants"][0]["events"]):
                raise NotMeasured(f"GET {path} tells no events")
    say(f"  explain: p50 {percentile(found, 50):.1f} ms, p99 {percentile(found, 99):.1f} ms")
    return percentile(found, 99)
