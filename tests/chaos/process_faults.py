"""Faults of the services' own processes: killed, stopped and let go on, asked to stop."""

import asyncio
import time
from typing import Final

import asyncpg
from tests.chaos.field import Act, Fault, Field

from devstack import services
from devstack.databases import Service

STOP_SECONDS: Final = (3.0, 15.0)
LEADER_STOP_SECONDS: Final = (7.0, 12.0)
LEADER_OF: Final = {"tool_sync": "tool-sync relay", "assistant_api": "assistant-api relay"}
LEADER = """
SELECT a.client_port FROM pg_stat_activity a JOIN pg_locks l USING (pid)
 WHERE a.application_name = $1 AND l.locktype = 'advisory' AND l.granted
"""


def _kill(service: Service) -> Act:
    async def act(field: Field) -> None:
        async with field.replica(service) as replica:
            assert replica.child is not None
            field.note(f"kill-{services.TITLES[service]}", replica.name)
            await replica.child.kill()
            if service == "tool_sync":
                field.measure("one of two tool-sync processes was killed", time.time(), fault_class="kill-tool-sync")
            await asyncio.sleep(field.dice.uniform(0.2, 1))

    return act


def _stop(service: Service) -> Act:
    async def act(field: Field) -> None:
        seconds = field.dice.uniform(*STOP_SECONDS)
        async with field.replica(service) as replica:
            field.note(f"stop-{services.TITLES[service]}", replica.name, pause=True, detail=f"{seconds:.1f} s")
            await replica.pause(seconds)

    return act


def _terminate(service: Service) -> Act:
    async def act(field: Field) -> None:
        async with field.replica(service) as replica:
            field.note(f"term-{services.TITLES[service]}", replica.name)
            await replica.terminate()

    return act


async def _stop_leader(field: Field) -> None:
    service: Service = field.dice.choice(("tool_sync", "assistant_api"))
    seconds = field.dice.uniform(*LEADER_STOP_SECONDS)
    leader = None
    while leader is None:
        port = await _leader_port(field, service)
        leader = next((it for it in field.world.of(service) if port is not None and it.database.owns(port)), None)
        await asyncio.sleep(0.1)
    async with field.locks[leader.name]:
        field.note("stop-relay-leader", leader.name, pause=True, detail=f"{seconds:.1f} s")
        if service == "tool_sync":
            field.measure("the relay's leader was stopped", time.time(), fault_class="stop-relay-leader")
        await leader.pause(seconds)


async def _leader_port(field: Field, service: Service) -> int | None:
    try:
        connection = await asyncpg.connect(field.world.database(service).admin, timeout=5)
    except (OSError, TimeoutError, asyncpg.PostgresError):
        return None
    try:
        port: int | None = await connection.fetchval(LEADER, LEADER_OF[service])
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return None
    finally:
        connection.terminate()
    return port


FAULTS: Final = (
    Fault("kill-tool-sync", _kill("tool_sync")),
    Fault("stop-tool-sync", _stop("tool_sync")),
    Fault("term-tool-sync", _terminate("tool_sync")),
    Fault("kill-assistant-api", _kill("assistant_api")),
    Fault("stop-assistant-api", _stop("assistant_api")),
    Fault("term-assistant-api", _terminate("assistant_api")),
    Fault("stop-relay-leader", _stop_leader),
)
