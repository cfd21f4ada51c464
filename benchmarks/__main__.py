"""``python -m benchmarks``: run all rows, print one table, write ``benchmarks/out/latest.json`` and the run's history.

Exit status 0 whatever the figures are; 1 where something could not be measured or a peer not be run, with the reason.
"""

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import uvloop
from aiokafka.errors import KafkaError
from rich.console import Console

from benchmarks import (
    append,
    burst,
    claim,
    console,
    idle,
    intake,
    large_rollouts,
    log_archive,
    log_decisions,
    long_log,
    long_org,
    memory,
    memory_growth,
    noisy_neighbour,
    old_snapshot,
    relay,
    replicas,
    rollouts,
    rows,
    run_history,
    shards,
    single_sync,
    sync_throughput,
)
from benchmarks.errors import NotMeasured
from benchmarks.machine import postgres_version, this_commit, this_machine
from benchmarks.rows import Row
from benchmarks.run_history import Run
from benchmarks.world import World, standing
from devstack import jars
from devstack.databases import MigrationFailed
from devstack.process import StartFailed

OUT = Path(__file__).parent / "out"
ROUNDS = 3
SAVES = 10_000
SECONDS_MAX = 60 * 60.0
"""What is not measured by then is not measured."""
LONG = frozenset({"memory_growth", "rollouts", "large_rollouts", "seeded_fleet", "console", "log_archive"})
"""What takes minutes for one figure: only with `--long`, or by its name."""
FAILURES = (NotMeasured, StartFailed, MigrationFailed, TimeoutError, OSError, KafkaError, aiohttp.ClientError)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def benchmarks(rounds: int, saves: int) -> Mapping[str, Callable[[World], Awaitable[list[Row]]]]:
    """Each benchmark by its name, in the order in which they are run."""
    return {
        "sync_throughput": lambda world: sync_throughput.measure(world, rounds, saves, _say),
        "burst_1000": lambda world: burst.measure(world, rounds, _say),
        "append_64": lambda world: append.measure(world, rounds, _say),
        "append_with_old_snapshot": lambda world: old_snapshot.measure(world, rounds, _say),
        "single_sync": lambda world: single_sync.measure(world, _say),
        "memory": lambda world: memory.measure(world, _say),
        "noisy_neighbour": lambda world: noisy_neighbour.measure(world, _say),
        "assistant_5000": lambda world: long_org.measure(world, _say),
        "intake": lambda world: intake.measure(world, rounds, _say),
        "relay": lambda world: relay.measure(world, rounds, _say),
        "idle": lambda world: idle.measure(world, _say),
        "claim": lambda world: claim.measure(world, rounds, _say),
        "memory_growth": lambda world: memory_growth.measure(world, _say),
        "replicas": lambda world: replicas.measure(world, rounds, saves, _say),
        "shards": lambda world: shards.measure(world, rounds, _say),
        "rollouts": lambda world: rollouts.measure(world, _say),
        "large_rollouts": lambda world: large_rollouts.measure(world, _say),
        "seeded_fleet": lambda world: large_rollouts.seeded(world, _say),
        "console": lambda world: console.measure(world, _say),
        "plan_100000": lambda world: _one(rollouts.plan(world, _say)),
        "long_log": lambda world: long_log.measure(world, rounds, _say),
        "log_archive": lambda world: log_archive.measure(world, rounds, _say),
        "log_decisions": lambda world: log_decisions.measure(world, rounds, _say),
    }


async def _one(row: Awaitable[Row]) -> list[Row]:
    return [await row]


def asked_for(options: argparse.Namespace, name: str) -> bool:
    """Whether a benchmark belongs to this run."""
    return name in options.only if options.only else options.long or name not in LONG


async def run(options: argparse.Namespace) -> int:
    """Measure what was asked for; the exit status."""
    at, started = datetime.now(UTC), time.monotonic()
    logs = options.out / "logs"
    shutil.rmtree(logs, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="zerotouch-bench-", ignore_cleanup_errors=True) as data:
        _say(f"starting PostgreSQL, Kafka and the sandbox; logs are in {logs}")
        async with standing(Path(data), logs) as world:
            measured, not_measured = await measure_all(world, options, started + SECONDS_MAX)
            postgres = await postgres_version(world.databases.admin_url)
            kafka = jars.VERSION if "Kafka" in world.parts else "given"
    rows.show(measured, Console(width=max(140, Console().width)))
    if options.only is None or options.write:
        rows.write(measured, options.out)
        _say(f"wrote {options.out / 'latest.json'}")
    if options.only is None:
        done = Run(at, this_commit(), this_machine(), postgres, kafka, options.saves, tuple(measured), not_measured)
        _say(f"wrote {run_history.write(done, options.history)}")
    _say(f"took {time.monotonic() - started:.0f} s")
    return exit_status(measured, not_measured)


async def measure_all(world: World, options: argparse.Namespace, until: float) -> tuple[list[Row], dict[str, str]]:
    """The rows, and of each benchmark that gave none why; ``until`` is a monotonic time."""
    measured: list[Row] = []
    not_measured: dict[str, str] = {}
    for name, measure in benchmarks(options.rounds, options.saves).items():
        if not asked_for(options, name):
            continue
        _say(f"{name} …")
        try:
            async with asyncio.timeout(until - time.monotonic()):
                found = await measure(world)
        except FAILURES as error:
            not_measured[name] = f"{type(error).__name__}: {error}"
            _say(f"{name}: NOT MEASURED: {not_measured[name]}; {world.logs} may say more")
            continue
        measured += found
        for row in found:
            if row.not_run is not None:
                _say(f"{row.name}: NOT RUN: {row.peer_name}: {row.not_run}")
    return measured, not_measured


def exit_status(measured: Sequence[Row], not_measured: Mapping[str, str]) -> int:
    """1 where a figure is missing, ours or a peer's; 0 whatever those say that are there."""
    return 1 if not_measured or any(row.not_run is not None for row in measured) else 0


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of a command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = list(benchmarks(0, 0))
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=f"one of {', '.join(names)}")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="alternating rounds of the compared rows")
    parser.add_argument("--saves", type=int, default=SAVES, help="saves a round of sync_throughput")
    parser.add_argument("--out", type=Path, default=OUT, help="where latest.json goes")
    parser.add_argument("--history", type=Path, default=run_history.HISTORY, help="where a whole run is kept")
    parser.add_argument("--long", action="store_true", help=f"measure also {', '.join(sorted(LONG))}")
    parser.add_argument("--write", action="store_true", help="write latest.json also with --only")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Read the options and run; Ctrl-C and SIGTERM stop everything that was started."""
    options = parsed(arguments)

    async def stoppable() -> int:
        task = asyncio.ensure_future(run(options))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        try:
            return await task
        except asyncio.CancelledError:
            return 130

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(stoppable())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
