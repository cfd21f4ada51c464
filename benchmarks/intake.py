"""`intake_records_per_second`: saves that lie on Kafka become events; nothing else of tool-sync runs.

The consumer, the intake and the log are the service's own, in one process, without spans. The clock starts with the
first events that are there.
"""

import asyncio
import time
from uuid import uuid4

from benchmarks import saves
from benchmarks.errors import NotMeasured
from benchmarks.figures import Say
from benchmarks.rows import Row
from benchmarks.saves import Save
from benchmarks.sides import OURS, environment
from benchmarks.world import World, corner
from tool_sync import db
from tool_sync.intake.consumer import new_consumer
from tool_sync.intake.intake import Intake
from tool_sync.log import EventLog
from tool_sync.settings import Settings
from zerotouch_contracts.events import AssistantSaved
from zerotouch_platform.telemetry import off, start_loop

RECORDS = 50_000
ORGS = 1_000
SECONDS_MAX = 120.0
LOOK_SECONDS = 0.05


async def measure(world: World, rounds: int, say: Say) -> list[Row]:
    """The row. Raises :class:`benchmarks.errors.NotMeasured`."""
    found = [await _one_round(world, say) for _ in range(rounds)]
    return [Row("intake_records_per_second", "records/s", "higher", tuple(found), goal="≥ 10,000")]


async def _one_round(world: World, say: Say) -> float:
    async with corner(world, "intake", migrated=True) as place:
        await saves.publish(world.bootstrap_servers, place.assistants_topic, _work())
        settings = Settings.model_validate({k.lower(): v for k, v in environment(world, place, OURS).items()})
        pool = await db.SESSIONS.pool(place.database.service, application_name="benchmark")
        log = EventLog(pool)
        consumer = new_consumer(settings, Intake(settings, log, pool, off()), pool)
        loops = [start_loop(log.run_forever(), name="log"), start_loop(consumer.run_forever(), name="intake")]
        try:
            before, own = world.cpu(), time.process_time()
            rate = await _rate(pool)
            say(f"  intake: {rate:,.0f} records/s; CPU {world.shares(before, ours=time.process_time() - own)}")
        finally:
            consumer.stop()
            await loops[1]
            log.stop()
            await loops[0]
            await pool.close()
        return rate


async def _rate(pool: db.Pool) -> float:
    began, first = time.monotonic(), (0, 0.0)
    while time.monotonic() - began < SECONDS_MAX:
        stored = await pool.fetchval("SELECT position FROM projection_positions WHERE name = 'pending_syncs'")
        now = time.monotonic()
        if stored >= RECORDS:
            return float((stored - first[0]) / (now - first[1]))
        if stored and not first[0]:
            first = (stored, now)
        await asyncio.sleep(LOOK_SECONDS)
    raise NotMeasured(f"{stored} of {RECORDS} records were taken in within {SECONDS_MAX:g} s")


def _work() -> list[Save]:
    """Every organization's saves in the order of their revisions, the organizations in turn."""
    orgs = [uuid4() for _ in range(ORGS)]
    return [
        Save(
            AssistantSaved(
                org_id=orgs[number % ORGS],
                request_id=uuid4(),
                agent_id="front-desk",
                assistant_id=f"assistant-{number % ORGS}",
                revision=1 + number // ORGS,
                model_hash="0" * 64,
                cause="save",
            ),
            "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01",
        )
        for number in range(RECORDS)
    ]
