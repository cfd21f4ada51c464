"""The clients of a run and what they come to, and where the run's traces are for the checker."""

import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from random import Random

import httpx
from tests.chaos.client import ANSWER_SECONDS_MAX, Client
from tests.chaos.clinics import Clinics
from tests.chaos.load import MIX, Load
from tests.chaos.operations import Operations
from tests.chaos.outsider import Outsider
from tests.chaos.poison import Poison
from tests.chaos.times import REQUESTS_PER_MINUTE
from tests.chaos.world import OUTSIDER_KEY, SERVICE_KEY, World
from tests.checker.collect import Sources
from tests.checker.ledger import Ledger

from devstack.options import say


async def crowd_of(
    world: World,
    ledger: Ledger,
    seed: int,
    per_second: float,
    exits: AsyncExitStack,
    mix: Mapping[str, int] = MIX,
) -> Load:
    """The load of a run. Their connections are closed with ``exits``."""
    limits = httpx.Limits(max_connections=600, max_keepalive_connections=100)
    bearer = {"Authorization": f"Bearer {world.signer.platform_token(lifetime_seconds=48 * 3600)}"}
    http = await exits.enter_async_context(httpx.AsyncClient(timeout=ANSWER_SECONDS_MAX, limits=limits, headers=bearer))
    key = {"Authorization": f"Bearer {OUTSIDER_KEY}"}
    dashboard = await exits.enter_async_context(httpx.AsyncClient(base_url=world.sandbox_url, timeout=30, headers=key))
    client = Client(http, world.of("assistant_api"), Random(seed + 2))
    clinics = Clinics(Random(seed + 3))
    operations = Operations(client, clinics, ledger, run=f"{seed}-{int(time.time())}")
    operations.can_delete = await _can_delete(http, world)
    say(f"  agents {'are' if operations.can_delete else 'cannot be'} deleted in this run")
    return Load(
        operations=operations,
        clinics=clinics,
        outsider=Outsider(dashboard, ledger, Random(seed + 4)),
        poison=Poison(world.broker.bootstrap_servers, ledger, Random(seed + 5)),
        dice=Random(seed + 6),
        per_second=per_second,
        mix=mix,
    )


def sources_of(world: World) -> Sources:
    """What the checker collects of a world."""
    return Sources.of(
        {
            "assistant_api": world.database("assistant_api").admin,
            "tool_sync": world.database("tool_sync").admin,
            "kafka": world.broker.bootstrap_servers,
            "sandbox": world.sandbox_url,
            "requests_per_minute": REQUESTS_PER_MINUTE,
            "service_keys": [SERVICE_KEY],
            "log_files": [str(world.folder / f"{replica.name}.jsonl") for replica in world.replicas],
        }
    )


async def _can_delete(http: httpx.AsyncClient, world: World) -> bool:
    answer = await http.get(f"{world.of('assistant_api')[0].url}/api/openapi.json")
    paths = answer.raise_for_status().json()["paths"]
    return any(path.startswith("/api/agents/") and "delete" in methods for path, methods in paths.items())
