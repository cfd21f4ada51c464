"""``python -m benchmarks``: run all rows, print one table, write ``benchmarks/out/latest.json``.

Exit status 0 whatever the figures are; 1 where something could not be measured, with the reason.
"""

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import aiohttp
import uvloop
from aiokafka.errors import KafkaError
from rich.console import Console

from benchmarks import (
    append,
    burst,
    claim,
    idle,
    intake,
    long_log,
    long_org,
    memory,
    rows,
    single_sync,
    sync_throughput,
)
from benchmarks.errors import NotMeasured
from benchmarks.rows import Row
from benchmarks.world import World, standing
from devstack.databases import MigrationFailed
from devstack.process import StartFailed

OUT = Path(__file__).parent / "out"
ROUNDS = 3
SAVES = 10_000
SECONDS_MAX = 19 * 60.0
"""What is not measured by then is not measured."""
FAILURES = (NotMeasured, StartFailed, MigrationFailed, TimeoutError, OSError, KafkaError, aiohttp.ClientError)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def benchmarks(rounds: int, saves: int) -> Mapping[str, Callable[[World], Awaitable[list[Row]]]]:
    """Each benchmark by its name, in the order in which they are run."""
    return {
        "sync_throughput": lambda world: sync_throughput.measure(world, rounds, saves, _say),
        "burst_1000": lambda world: burst.measure(world, rounds, _say),
        "append_64": lambda world: append.measure(world, rounds, _say),
        "single_sync": lambda world: single_sync.measure(world, _say),
        "memory": lambda world: memory.measure(world, _say),
        "assistant_5000": lambda world: long_org.measure(world, _say),
        "intake": lambda world: intake.measure(world, rounds, _say),
        "idle": lambda world: idle.measure(world, _say),
        "claim": lambda world: claim.measure(world, rounds, _say),
        "long_log": lambda world: long_log.measure(world, rounds, _say),
    }


async def run(options: argparse.Namespace) -> int:
    """Measure what was asked for; the exit status."""
    measured: list[Row] = []
    failed = False
    started = time.monotonic()
    logs = options.out / "logs"
    shutil.rmtree(logs, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="zerotouch-bench-", ignore_cleanup_errors=True) as data:
        _say(f"starting PostgreSQL, Kafka and the sandbox; logs are in {logs}")
        async with standing(Path(data), logs) as world:
            for name, measure in benchmarks(options.rounds, options.saves).items():
                if options.only and name not in options.only:
                    continue
                _say(f"{name} …")
                try:
                    async with asyncio.timeout(started + SECONDS_MAX - time.monotonic()):
                        measured += await measure(world)
                except FAILURES as error:
                    failed = True
                    _say(f"{name}: NOT MEASURED: {type(error).__name__}: {error}; {logs} may say more")
    rows.show(measured, Console(width=max(140, Console().width)))
    if options.only is None or options.write:
        rows.write(measured, options.out)
        _say(f"wrote {options.out / 'latest.json'}")
    _say(f"took {time.monotonic() - started:.0f} s")
    return 1 if failed else 0


def main(arguments: Sequence[str]) -> int:
    """Read the options and run; Ctrl-C and SIGTERM stop everything that was started."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = list(benchmarks(0, 0))
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=f"one of {', '.join(names)}")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="alternating rounds of the compared rows")
    parser.add_argument("--saves", type=int, default=SAVES, help="saves a round of sync_throughput")
    parser.add_argument("--out", type=Path, default=OUT, help="where latest.json goes")
    parser.add_argument("--write", action="store_true", help="write latest.json also with --only")
    options = parser.parse_args(arguments)

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
