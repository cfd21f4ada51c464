"""`console_p99_ms`: the console's pages for 50 readers, beside a long log, many failures and a running rollout.

The log has six events of each of 100,000 clinics, whose assistant has its tool (`seeded_fleet`), and eight more of
every second one: four saves that failed. Each reader signs in and then opens one page after the other, two seconds
apart, as *Tonight* does by itself. A page is all of its HTML, and the first one counts like every other. One process
serves them all, and carries out the rollout as well. `CONSOLE_CLINICS` makes it smaller.
"""

import asyncio
import base64
import os
import secrets
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final
from uuid import UUID, uuid4

import asyncpg
import httpx

from benchmarks import groups, rollouts, seeded_fleet, sides
from benchmarks.errors import NotMeasured
from benchmarks.figures import Say, percentile
from benchmarks.rows import Row
from benchmarks.world import World, corner
from devstack import services
from devstack.ports import free_port

CLINICS = int(os.environ.get("CONSOLE_CLINICS", "100000"))
READERS = 50
PAUSE_SECONDS = 2.0
READING_SECONDS = 60.0
PER_MINUTE = min(24_000, 3 * CLINICS // 10)
"""Of Vapi's calls: a smaller fleet's rollout lasts as long as the readers read."""
STARTED_SECONDS_MAX = 120.0
CODE = "TS-301"
PAGES: Final = {
    "tonight": 6, "tonight, again": 6, "failures": 2, "a group": 2, "waiting": 2, "live": 2, "a clinic": 4,
    "an assistant": 3, "search": 3, "tools": 1, "rollouts": 2, "a rollout": 2, "system": 1, "log": 1, "lacking": 1,
}  # fmt: skip
"""How often each page is opened beside the others."""
_ROLLOUT: Final = "SELECT data->>'rollout_id' FROM events WHERE type = 'RolloutStarted' ORDER BY position DESC LIMIT 1"
_OVER: Final = "SELECT EXISTS (SELECT FROM events WHERE type = 'RolloutCompleted' AND data->>'rollout_id' = $1)"


@dataclass(slots=True)
class Reading:
    """The milliseconds of each page, by its name."""

    url: str
    tokens: Sequence[str]
    paths: Mapping[str, Sequence[str]]
    took_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    async def all(self, seconds: float) -> None:
        """Fifty readers for so long. Raises :class:`NotMeasured` where a page is not shown."""
        try:
            async with asyncio.TaskGroup() as readers:
                for number, token in enumerate(self.tokens):
                    readers.create_task(self._reader(Random(number), token, time.monotonic() + seconds))
        except* NotMeasured as errors:
            raise NotMeasured(str(errors.exceptions[0])) from None

    async def _reader(self, dice: Random, token: str, until: float) -> None:
        async with httpx.AsyncClient(base_url=self.url, timeout=60) as http:
            entered = await http.post("/console/login", data={"token": token, "to": "/"})
            if entered.status_code != 303:
                raise NotMeasured(f"signing in answers {entered.status_code}: {entered.text[:300]}")
            await asyncio.sleep(dice.uniform(0, PAUSE_SECONDS))
            while time.monotonic() < until:
                [name] = dice.choices(list(PAGES), weights=list(PAGES.values()))
                path = dice.choice(self.paths[name])
                began = time.perf_counter()
                answer = await http.get(f"/console{path}")
                self.took_ms[name].append((time.perf_counter() - began) * 1000)
                if answer.status_code != 200:
                    raise NotMeasured(f"GET /console{path} answers {answer.status_code}: {answer.text[:300]}")
                await asyncio.sleep(dice.uniform(0.5, 1.5) * PAUSE_SECONDS)


async def measure(world: World, say: Say) -> list[Row]:
    """The rows. Raises :class:`NotMeasured`."""
    async with corner(world, "console", migrated=True) as place:
        async with sides.running(world, place, sides.OURS) as child:
            await groups.consuming_since(world.admin, place.group, child)
        published = await seeded_fleet.document(place.database.admin)
        orgs = [uuid4() for _ in range(CLINICS)]
        say(f"  making the tools of {CLINICS:,} clinics, and writing their events …")
        ids = await seeded_fleet.make_tools(world.sandbox.url, world.sandbox.api_key, published, orgs)
        await seeded_fleet.fill(place.database.admin, published, list(zip(orgs, ids, strict=True)))
        failing = await seeded_fleet.fail(place.database.admin, orgs[::2], CODE)
        say(f"  {failing:,} assistants fail; the log has {await _fetchval(place.database.admin, _HEAD):,} events")
        port = free_port()
        more = {
            "VAPI_REQUESTS_PER_MINUTE": str(PER_MINUTE),
            "VAPI_RATE_SHARE": "1",
            "CONSOLE_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        }
        async with sides.running(world, place, sides.OURS, port=port, more=more) as child:
            await child.ready(lambda: services.not_ready(services.base_url(port)), STARTED_SECONDS_MAX)
            env = sides.environment(world, place, sides.OURS) | more
            shipping = asyncio.create_task(rollouts.ship(world, place, env, rollouts.CHANGED))
            try:
                rollout = await _started(place.database.admin, shipping)
                reading = Reading(
                    services.base_url(port),
                    [world.signer.platform_token() for _ in range(READERS)],
                    _paths(orgs, rollout),
                )
                await reading.all(READING_SECONDS)
                if await _fetchval(place.database.admin, _OVER, rollout):
                    raise NotMeasured("the rollout was over before the readers were")
            finally:
                shipping.cancel()
                await asyncio.wait([shipping])
    for name, took in sorted(reading.took_ms.items(), key=lambda one: -percentile(one[1], 99)):
        say(
            f"  {name:16} n {len(took):5}  p50 {percentile(took, 50):7.1f} ms  p99 {percentile(took, 99):7.1f} ms"
            f"  longest {max(took):7.1f} ms"
        )
    every = [ms for took in reading.took_ms.values() for ms in took]
    return [
        Row("console_p50_ms", "ms", "lower", (percentile(every, 50),)),
        Row("console_p99_ms", "ms", "lower", (percentile(every, 99),), goal="< 50"),
        Row("console_longest_ms", "ms", "lower", (max(every),)),
    ]


_HEAD: Final = "SELECT max(position) FROM events"


def _paths(orgs: Sequence[UUID], rollout: str) -> Mapping[str, Sequence[str]]:
    some = orgs[: 2 * READERS]
    return {
        "tonight": ["/"],
        "tonight, again": ["/tonight"],
        "failures": ["/failures"],
        "a group": [f"/failures?code={CODE}"],
        "waiting": ["/waiting"],
        "live": ["/live", f"/live?code={CODE}"],
        "a clinic": [f"/orgs/{org_id}" for org_id in some],
        "an assistant": [f"/orgs/{org_id}/agents/agent-1" for org_id in some],
        "search": [f"/search?q={text}" for text in (*some, CODE, "agent-1")],
        "tools": ["/tools", f"/tools/{seeded_fleet.TOOL}"],
        "rollouts": ["/rollouts"],
        "a rollout": [f"/rollouts/{rollout}", f"/rollouts/{rollout}/bar"],
        "system": ["/system"],
        "log": ["/log"],
        "lacking": ["/lacking"],
    }


async def _started(admin_url: str, shipping: "asyncio.Task[rollouts.Shipped]") -> str:
    before = await _fetchval(admin_url, _ROLLOUT)
    until = time.monotonic() + STARTED_SECONDS_MAX
    while time.monotonic() < until:
        if (newest := await _fetchval(admin_url, _ROLLOUT)) != before:
            return str(newest)
        if shipping.done():
            shipping.result()
            break
        await asyncio.sleep(0.2)
    raise NotMeasured(f"nothing was ordered within {STARTED_SECONDS_MAX:g} s")


async def _fetchval(admin_url: str, statement: str, *values: object) -> object:
    connection = await asyncpg.connect(admin_url)
    try:
        return await connection.fetchval(statement, *values)
    finally:
        await connection.close()
