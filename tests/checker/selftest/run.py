"""``python -m tests.checker selftest``: the judge is judged.

1. right services, through every scenario: no violation
2. corrupted histories of the first of them: each is caught, by the promise that it breaks
3. wrong services (mutants), each in its scenario: each is caught likewise
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.checker.judge import judge
from tests.checker.selftest.corruptions import CORRUPTIONS, good_dump, not_caught
from tests.checker.selftest.group import Shared, group
from tests.checker.selftest.mutants import MUTANTS, Mutant
from tests.checker.selftest.quiet import becomes_quiet
from tests.checker.selftest.scenarios import SCENARIOS, play
from tests.checker.verdict import Verdict

from devstack import kafka, postgres
from devstack.databases import TestDatabases

AT_ONCE: Final = 4
RIGHT_QUIET_SECONDS: Final = 40.0
WRONG_QUIET_SECONDS: Final = 6.0
SECONDS_MAX: Final = 240.0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: `trouble` is None where all is as it should be."""

    kind: str
    name: str
    seconds: float
    found: str
    trouble: str | None


def selftest(only: frozenset[str], every: int, keep: Path | None) -> int:
    """Run all, or of the mutants those named, one of ``every``; 0 where every fault was found and nothing else was."""
    started = time.monotonic()
    lines = asyncio.run(_run(only, every, keep))
    for line in sorted(
        lines, key=lambda line: line.trouble is not None
    ):  # failures last, where a cut log still has them
        print(
            f"{line.kind:<11}{line.name:<28}{line.seconds:6.1f} s  {line.found:<18}{line.trouble or 'as it should be'}"
        )
    bad = sum(line.trouble is not None for line in lines)
    counts = {kind: sum(line.kind == kind for line in lines) for kind in ("right", "corrupted", "mutant")}
    print(
        f"checker selftest: {counts['right']} right runs, {counts['corrupted']} corrupted histories,"
        f" {counts['mutant']} mutants, {bad} failures, {time.monotonic() - started:.0f} s"
    )
    return 1 if bad else 0


@asynccontextmanager
async def standing(folder: Path) -> AsyncIterator[Shared]:
    """PostgreSQL and Kafka for all groups."""
    server, broker = await asyncio.gather(
        postgres.start(folder / "postgres", fsync=False), kafka.start(folder / "kafka", say=_say)
    )
    try:
        yield Shared(TestDatabases(server.admin_url), broker.bootstrap_servers, folder)
    finally:
        await asyncio.gather(server.stop(), broker.stop())


async def _run(only: frozenset[str], every: int, keep: Path | None) -> Sequence[Line]:
    with TemporaryDirectory(prefix="zerotouch-checker-", ignore_cleanup_errors=True) as temporary:
        async with standing(keep or Path(temporary)) as shared:
            slots = asyncio.Semaphore(AT_ONCE)

            async def one(kind: str, name: str, scenario: str, mutant: Mutant | None) -> list[Line]:
                async with slots:
                    return [await _line(shared, kind, name, scenario, mutant)]

            wanted = [mutant for mutant in MUTANTS.values() if not only or mutant.name in only][::every]
            scenarios = [name for name in SCENARIOS if not only or name in {mutant.scenario for mutant in wanted}]
            lines = await asyncio.gather(
                *(one("right", name, name, None) for name in scenarios),
                *(one("mutant", mutant.name, mutant.scenario, mutant) for mutant in wanted),
                *([] if only else [_corrupted(shared)]),
            )
    return [line for found in lines for line in found]


async def _line(shared: Shared, kind: str, name: str, scenario: str, mutant: Mutant | None) -> Line:
    started = time.monotonic()
    try:
        async with asyncio.timeout(SECONDS_MAX):
            verdict, quiet = await judged(shared, f"{kind}-{name}".replace("_", "-"), scenario, mutant)
    except Exception as error:  # one that cannot be run is a failure of its line, and the others go on
        return Line(kind, name, time.monotonic() - started, "", f"{type(error).__name__}: {error}"[:300])
    found = ",".join(sorted(verdict.rules_broken))
    trouble: str | None = None
    if mutant is None:
        trouble = verdict.table() if verdict.violations or verdict.void else None if quiet else "no rest in time"
    elif not mutant.caught_by & verdict.rules_broken:
        trouble = f"not caught by {' or '.join(sorted(mutant.caught_by))}"
    return Line(kind, name, time.monotonic() - started, found, trouble)


async def judged(shared: Shared, name: str, scenario: str, mutant: Mutant | None) -> tuple[Verdict, bool]:
    """Play a scenario with right or wrong services and judge it; also whether it came to rest."""
    async with group(shared, name, mutant.name if mutant else "") as made:
        if mutant is not None and mutant.sql is not None:
            await made.database["tool_sync"].execute(mutant.sql)
        await play(made, SCENARIOS[scenario])
        quiet = await becomes_quiet(made, WRONG_QUIET_SECONDS if mutant else RIGHT_QUIET_SECONDS)
        dump = await made.collect(amplification_max=SCENARIOS[scenario].amplification_max)
        return judge(dump), quiet


async def _corrupted(shared: Shared) -> list[Line]:
    started = time.monotonic()
    try:
        dump = await good_dump(shared)
    except Exception as error:  # the mutants go on; this line fails the whole
        return [Line("right", "of all corruptions", time.monotonic() - started, "", f"{type(error).__name__}: {error}")]
    lines = [Line("right", "of all corruptions", time.monotonic() - started, "", None)]
    for name, corruption in CORRUPTIONS.items():
        started = time.monotonic()
        trouble = not_caught(dump, corruption)
        lines.append(Line("corrupted", name, time.monotonic() - started, corruption.caught_by, trouble))
    return lines


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
