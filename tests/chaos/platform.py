"""Who runs the platform while everything fails: versions are shipped, paused, resumed, taken back, and tools halted;
single clinics are pinned, and get or lose their change windows.

Each command is a process of its own that goes to PostgreSQL directly. One that fails is not repeated: the person looks
again, and does what is to be done then.
"""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Final

import asyncpg
from tests.chaos.spared import Spared
from tests.chaos.world import World
from tests.support.eventually import until

BOOKING, CANCELLING = "bookClinicAppointment", "cancelAppointment"
PAUSE_SECONDS: Final = (3.0, 8.0)
SPARED_PAUSE_SECONDS: Final = (4.0, 10.0)
COMMAND_SECONDS_MAX: Final = 60.0
OVER_SECONDS_MAX: Final = 60.0
SPARED_TRIES_MAX: Final = 20
HALTS_MAX: Final = 1
AWAY: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError)

_FLEET: Final = """
SELECT type, data ->> 'rollout_id' AS rollout_id, coalesce(data ->> 'tool', data ->> 'name') AS tool,
       (data ->> 'version')::int AS version
  FROM events WHERE org_id IS NULL AND type <> 'ContractsAnswered' ORDER BY position
"""
_ENDED: Final = ("RolloutCompleted", "RolloutAborted", "RolloutExpired", "RolloutRolledBack")


@dataclass(frozen=True, slots=True)
class Seen:
    """What the log says: the order that is not over, whether it is paused, what is halted, the newest versions."""

    open_order: str | None = None
    is_paused: bool = False
    halted: frozenset[str] = frozenset()
    versions: dict[str, int] = field(default_factory=dict)
    plans: dict[str, str] = field(default_factory=dict)
    completed: tuple[str, ...] = ()


@dataclass(slots=True)
class Platform:
    """``done`` counts the commands that did something."""

    world: World
    dice: Random
    done: Counter[str] = field(default_factory=Counter)
    texts: int = 0

    async def work(self) -> None:
        """One thing after the other for all clinics, and one for single ones, until cancelled."""
        await asyncio.gather(self._work_on_all(), self._spare())

    async def _work_on_all(self) -> None:
        while True:
            await asyncio.sleep(self.dice.uniform(*PAUSE_SECONDS))
            with suppress(*AWAY):
                await self._act(await self._seen())

    async def _spare(self) -> None:
        dice = Random(self.dice.random())
        spared = Spared(self.world, dice)
        while True:
            await asyncio.sleep(dice.uniform(*SPARED_PAUSE_SECONDS))
            with suppress(*AWAY):
                if words := await spared.command():
                    await self.command(*words)

    async def conclude(self) -> None:
        """Everything is whole again: what is halted or paused goes on; what does not come to its end is taken back.

        Pins and windows stay: some for longer than the run, which the checker judges.
        """
        seen = await self._seen()
        for tool in seen.halted:
            await self.command("blueprint", "resume", tool, "--reason", "over")
        if seen.open_order is not None and seen.is_paused:
            await self.command("rollout", "resume", seen.open_order, "--reason", "over")

        async def is_over() -> bool:
            return (await self._seen()).open_order is None

        if not await until(is_over, OVER_SECONDS_MAX, every_seconds=0.5) and seen.open_order is not None:
            await self.command("rollout", "rollback", seen.open_order, "--reason", "it does not end")
        if not self.done["rollout apply"]:  # the faults left no room for one
            await self._order(await self._seen())
            await until(is_over, OVER_SECONDS_MAX, every_seconds=0.5)
        spared = Spared(self.world, self.dice)
        for _ in range(SPARED_TRIES_MAX):
            if self.spares:
                break
            if words := await spared.command():
                await self.command(*words)

    @property
    def spares(self) -> bool:
        """Whether a clinic was pinned, and one has got a change window."""
        return bool(self.done["org pin"] and self.done["window set"])

    async def decisions(self) -> int:
        """The status of `log decisions`: whether every write that was announced can be decided again."""
        return await self.command("log", "decisions")

    async def _act(self, seen: Seen) -> None:
        roll = self.dice.random()
        if seen.halted:
            await self.command("blueprint", "resume", next(iter(seen.halted)), "--reason", "over")
        elif self.done["blueprint halt"] < HALTS_MAX and roll < 0.15:
            await self.command("blueprint", "halt", BOOKING, "--reason", "bookings are lost")
        elif seen.open_order is None:
            if seen.completed and roll < 0.3:
                await self.command("rollout", "rollback", seen.completed[-1], "--reason", "no good")
            else:
                await self._order(seen)
        elif seen.is_paused:
            what = self.dice.choice(("resume", "resume", "rollback"))
            await self.command("rollout", what, seen.open_order, "--reason", "looked")
        else:
            what = self.dice.choice(("pause", "pause", "wait", "wait", "abort", "rollback"))
            if what != "wait":
                await self.command("rollout", what, seen.open_order, "--reason", "to look")

    async def _order(self, seen: Seen) -> None:
        tool = self.dice.choice((BOOKING, BOOKING, CANCELLING))
        self.texts += 1
        file, stages = self.world.folder / "tool.toml", self.world.folder / "stages.toml"
        file.write_text(f'name = "{tool}"\ncontract = 2\ndescription = "Does it. Text {self.texts}."\n')
        percent = self.dice.choice((1, 30, 60))
        stages.write_text(f'[[stage]]\nname = "some"\npercent = {percent}\n\n[[stage]]\nname = "all"\npercent = 100\n')
        await self.command("blueprint", "publish", str(file), "--reason", "a test")
        version = (await self._seen()).versions[tool]
        await self.command("rollout", "plan", f"{tool}@{version}", "--stages", str(stages))
        plan = (await self._seen()).plans.get(tool)
        if plan is not None and plan != seen.plans.get(tool):
            await self.command("rollout", "apply", plan, "--reason", "a text")

    async def _seen(self) -> Seen:
        connection = await asyncpg.connect(self.world.database("tool_sync").admin, timeout=5)
        try:
            return _read(await connection.fetch(_FLEET))
        finally:
            await connection.close()

    async def command(self, *words: str) -> int:
        settings = {
            **self.world.of("tool_sync")[0].env,
            "DATABASE_URL": self.world.database("tool_sync").service,
            "LOG_FILE": str(self.world.folder / "operator.jsonl"),
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tool_sync", *words, env={**os.environ, **settings},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            async with asyncio.timeout(COMMAND_SECONDS_MAX):
                said, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        with (self.world.folder / "operator.log").open("ab") as log:
            log.write(f"{' '.join(words)}: {process.returncode}\n".encode() + said)
        assert process.returncode is not None
        self.done[" ".join(words[:2])] += process.returncode == 0
        return process.returncode


def _read(rows: Sequence[asyncpg.Record]) -> Seen:
    open_order, is_paused = None, False
    halted: set[str] = set()
    versions: dict[str, int] = {}
    plans: dict[str, str] = {}
    completed: list[str] = []
    for row in rows:
        match row["type"]:
            case "BlueprintPublished":
                versions[row["tool"]] = row["version"]
            case "ToolHalted":
                halted.add(row["tool"])
            case "ToolResumed":
                halted.discard(row["tool"])
            case "RolloutPlanned":
                plans[row["tool"]] = row["rollout_id"]
            case "RolloutStarted":
                open_order, is_paused = row["rollout_id"], False
            case "RolloutPaused" | "RolloutResumed" as what:
                is_paused = what == "RolloutPaused"
            case ended if ended in _ENDED:
                if row["rollout_id"] == open_order:
                    open_order = None
                if row["rollout_id"] in completed:
                    completed.remove(row["rollout_id"])
                elif ended == "RolloutCompleted" and not row["rollout_id"].startswith("seed-"):
                    completed.append(row["rollout_id"])
    return Seen(open_order, is_paused, frozenset(halted), versions, plans, tuple(completed))
