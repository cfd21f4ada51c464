"""Faults of what the services stand on: the broker and PostgreSQL, killed or restarted."""

import asyncio
import time
from typing import Final

import asyncpg
from tests.chaos.field import Fault, Field
from tests.support.eventually import until

from devstack.ports import listening

BROKER_AWAY_SECONDS: Final = (1.0, 6.0)
BROKER_START_SECONDS_MAX: Final = 60.0
POSTGRES_AWAY_SECONDS: Final = (0.0, 4.0)
SESSIONS_ENDED: Final = (1, 8)
BROKER_IS_BACK: Final = "the broker's port is open again"
POSTGRES_IS_BACK: Final = "PostgreSQL answers again"
TERMINATE = """
SELECT count(pg_terminate_backend(pid))
  FROM (SELECT pid FROM pg_stat_activity
         WHERE application_name LIKE 'tool-sync%' OR application_name LIKE 'assistant-api%'
         ORDER BY md5(pid::text || $1) LIMIT $2) chosen
"""


async def _kill_broker(field: Field) -> None:
    async with field.locks["broker"]:
        field.note("kill-broker", "broker")
        await field.world.broker.child.kill()
        await _broker_returns(field, "kill-broker")


async def _restart_broker(field: Field) -> None:
    async with field.locks["broker"]:
        field.note("restart-broker", "broker")
        await field.world.broker.stop()
        await _broker_returns(field, "restart-broker")


async def _broker_returns(field: Field, fault_class: str) -> None:
    await asyncio.sleep(field.dice.uniform(*BROKER_AWAY_SECONDS))
    restarting = asyncio.create_task(field.world.restart_broker())

    async def open_again() -> bool:
        return restarting.done() or await listening(field.world.broker_listener)

    await until(open_again, BROKER_START_SECONDS_MAX, every_seconds=0.02)
    field.measure(BROKER_IS_BACK, time.time(), fault_class=fault_class)
    await restarting


async def _kill_postgres(field: Field) -> None:
    async with field.locks["postgres"]:
        field.note("kill-postgres", "PostgreSQL")
        await field.world.postgres.child.kill()
        await asyncio.sleep(field.dice.uniform(*POSTGRES_AWAY_SECONDS))
        await field.world.restart_postgres()
        field.measure(POSTGRES_IS_BACK, time.time(), fault_class="kill-postgres")


async def _terminate_backends(field: Field) -> None:
    async with field.locks["postgres"]:
        connection = await asyncpg.connect(field.world.postgres.admin_url, timeout=10)
        try:
            ended = await connection.fetchval(TERMINATE, str(field.dice.random()), field.dice.randint(*SESSIONS_ENDED))
        finally:
            await connection.close()
        field.note("terminate-backends", "PostgreSQL", detail=f"{ended} sessions")


FAULTS: Final = (
    Fault("kill-broker", _kill_broker),
    Fault("restart-broker", _restart_broker),
    Fault("kill-postgres", _kill_postgres),
    Fault("terminate-backends", _terminate_backends),
)
