"""One change for many clinics: `ship` of a changed tool, a tool enabled for the first time, and a plan.

    rollout_10000_seconds       a changed version to 10,000 clinics, Vapi at 0 ms, no limit: started to completed
    rollout_new_10000_seconds   a tool that nobody had, three calls a clinic: started to completed
    ship_10000_seconds          the command itself, from the file's lint to the last read-back
    plan_100000_seconds         `rollout plan` over 100,000 clinics, by the command's own clock
    rollout_rate_used           of a limit of 1,200 requests a minute on 4,000 clinics (share 1): whole minutes of it
    rollout_rate_fullest        the fullest minute of UTC of that run
    rollout_forecast            the measured time of that run, of what its plan forecasts for the key's rate

The clinics are really there: each has saved an assistant and has its tool in the sandbox. The plan's 100,000 are rows.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg

from benchmarks import filled_log, groups, journal, outcomes, saves, sides
from benchmarks.errors import NotMeasured
from benchmarks.figures import Say
from benchmarks.rows import Row
from benchmarks.world import PARTITIONS, Corner, World, corner

CLINICS = 10_000
LIMITED_CLINICS = 4_000
PLANNED_CLINICS = 100_000
PER_MINUTE = 1_200
PLANNED = "cancelAppointment@2"
"""Published at the first start and ordered for nobody."""
SAVED_AT_ONCE = 2_000
SAVE_SECONDS_MAX = 120.0
COMMAND_SECONDS_MAX = 900.0

CHANGED = """
name = "bookClinicAppointment"
contract = 2
description = "Books an appointment at this clinic, once the caller has agreed to a day and a time. Wait for it."
[[messages]]
type = "request-start"
content = "One moment, I am looking for a free time."
"""
NEW = """
name = "cancelAppointment"
contract = 2
description = "Cancels an appointment at this clinic, once the caller has named patient, phone number and day."
"""
# From the order to its completion, by the database's clock.
_TOOK = """
SELECT extract(epoch FROM c.recorded_at - s.recorded_at)::float8
  FROM events s JOIN events c ON c.stream = s.stream AND c.type = 'RolloutCompleted'
 WHERE s.type = 'RolloutStarted' AND s.org_id IS NULL AND s.data->>'tool' = $1 ORDER BY s.position DESC LIMIT 1
"""
_EVENTS = "SELECT count(*) FROM events WHERE position > $1 AND org_id IS NOT NULL"
_HEAD = "SELECT max(position) FROM events"


@dataclass(frozen=True, slots=True)
class Shipped:
    """One `ship`: the command's seconds, the rollout's, the events of clinics and the calls that it took."""

    command_seconds: float
    rollout_seconds: float
    events: float
    calls: float


async def measure(world: World, say: Say) -> list[Row]:
    """The rows. Raises :class:`benchmarks.errors.NotMeasured`."""
    async with corner(world, "rollouts", migrated=True) as place, _equipped(world, place, CLINICS, {}) as env:
        changed = await ship(world, place, env, CHANGED)
        say(f"  changed: {changed}")
        new = await ship(world, place, env, NEW)
        say(f"  new: {new}")
    async with corner(world, "rollouts-limited", migrated=True) as place:
        limit = {"VAPI_REQUESTS_PER_MINUTE": str(PER_MINUTE), "VAPI_RATE_SHARE": "1"}
        async with _equipped(world, place, LIMITED_CLINICS, {}) as env:
            pass
        async with sides.running(world, place, sides.OURS, more=limit):
            before = int(sum((await world.vapi_requests()).values()))
            limited = await ship(world, place, env | limit, CHANGED)
        minutes = await journal.calls_by_minute(world, before)
        say(f"  limited: {limited}; by minute {minutes}")
    whole = minutes[1:-1]
    if not whole:
        raise NotMeasured(f"the rollout lasted no whole minute: {minutes}")
    used = sum(whole) / len(whole) / PER_MINUTE
    forecast = LIMITED_CLINICS / PER_MINUTE * 60
    return [
        Row("rollout_10000_seconds", "s", "lower", (changed.rollout_seconds,), goal="< 30"),
        Row("rollout_new_10000_seconds", "s", "lower", (new.rollout_seconds,), goal="< 60"),
        Row("ship_10000_seconds", "s", "lower", (changed.command_seconds,), goal="< 300"),
        Row("rollout_events_per_clinic", "events", "lower", (changed.events / CLINICS,), goal="≤ 2"),
        Row("rollout_rate_used", "of the limit", "higher", (used,), goal="≥ 0.98; ≤ 1"),
        Row("rollout_rate_fullest", "of the limit", "lower", (max(minutes) / PER_MINUTE,), goal="≤ 1"),
        Row("rollout_forecast", "x forecast", "lower", (limited.rollout_seconds / forecast,), goal="≥ 0.9; ≤ 1.1"),
    ]


async def plan(world: World, say: Say) -> Row:
    """The row of the plan alone."""
    async with corner(world, "rollouts-plan", migrated=True) as place:
        say(f"  writing the log of {PLANNED_CLINICS:,} clinics …")
        await filled_log.fill(place.database.admin, PLANNED_CLINICS * filled_log.EVENTS_OF_AN_ORG)
        env = sides.environment(world, place, sides.OURS)
        async with sides.running(world, place, sides.OURS) as child:
            await groups.consuming_since(world.admin, place.group, child)
        took = []
        for _ in range(3):
            seconds, out = await command(env, "rollout", "plan", PLANNED)
            took.append(seconds)
        say(f"  plan: {took}\n{out}")
    return Row("plan_100000_seconds", "s", "lower", tuple(took), goal="< 2")


@asynccontextmanager
async def _equipped(
    world: World, place: Corner, clinics: int, more: Mapping[str, str]
) -> AsyncIterator[dict[str, str]]:
    """Lends the settings of a running tool-sync whose clinics have their tool."""
    work = await saves.make_saves(world.sandbox.url, world.sandbox.api_key, [uuid4() for _ in range(clinics)])
    async with (
        outcomes.reading(world.bootstrap_servers, place.outcomes_topic, PARTITIONS) as reader,
        sides.running(world, place, sides.OURS, more=more) as child,
    ):
        await groups.consuming_since(world.admin, place.group, child)
        for start in range(0, clinics, SAVED_AT_ONCE):
            batch = work[start : start + SAVED_AT_ONCE]
            await saves.publish(world.bootstrap_servers, place.assistants_topic, batch)
            await reader.take(len(batch), SAVE_SECONDS_MAX)
        yield sides.environment(world, place, sides.OURS)


async def ship(world: World, place: Corner, env: Mapping[str, str], text: str) -> Shipped:
    """Ship a tool's file with the default stages, until it is complete."""
    before = await world.vapi_requests()
    head = await _fetchval(place, _HEAD)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tool.toml"
        file.write_text(text)
        seconds, _ = await command(env, "ship", str(file), "--reason", "benchmark", "--yes")
    name = "cancelAppointment" if text is NEW else "bookClinicAppointment"
    took = await _fetchval(place, _TOOK, name)
    after = await world.vapi_requests()
    calls = sum(after.values()) - sum(before.values())
    return Shipped(seconds, took, await _fetchval(place, _EVENTS, head), calls)


async def _fetchval(place: Corner, statement: str, *values: object) -> float | int:
    connection = await asyncpg.connect(place.database.admin)
    try:
        found: float | int = await connection.fetchval(statement, *values)
        return found
    finally:
        await connection.close()


async def command(env: Mapping[str, str], *words: str) -> tuple[float, str]:
    """The seconds of a command from its start to its end, and what it said."""
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tool_sync", *words, env={**os.environ, **env},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(COMMAND_SECONDS_MAX):
        out, _ = await process.communicate()
    if process.returncode:
        raise NotMeasured(f"tool-sync {' '.join(words)} ended with status {process.returncode}: {out.decode()[-500:]}")
    return time.monotonic() - began, out.decode()
