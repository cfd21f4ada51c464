"""``python -m tests.fleets [--count N] [--first SEED]``: a plan of each of so many random fleets, beside what happens.

Each fleet has a database and a sandbox of its own, and production's code in between. The last line is one summary;
the status is 1 where a plan was not what happened.
"""

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from tests.fleets.share import judge_share
from tests.integration.tool_sync.rollouts.plan_judge import Judged

from devstack import postgres
from devstack.databases import TestDatabases

COUNT: Final = 1_000
SHOWN_MAX: Final = 20


def main() -> int:
    """Run all fleets; the status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fleets", description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT, help="fleets")
    parser.add_argument("--first", type=int, default=0, help="the seed of the first one")
    arguments = parser.parse_args()
    seeds, began = range(arguments.first, arguments.first + arguments.count), time.monotonic()
    processes = os.cpu_count() or 1
    with _server() as url, ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        asyncio.run(_with_roles(url))
        shares = [tuple(seeds[n::processes]) for n in range(processes)]
        done = [judged for share in pool.map(judge_share, [url] * processes, shares) for judged in share]
    for judged in [one for one in done if one.problems][:SHOWN_MAX]:
        print(f"seed {judged.seed}: " + "; ".join(judged.problems))
    summary = summed(done) | {"seconds": round(time.monotonic() - began)}
    print(json.dumps(summary))
    return 1 if summary["not_as_planned"] or summary["fleets"] != len(seeds) else 0


def summed(done: list[Judged]) -> dict[str, object]:
    """The figures of all fleets."""
    pairs = sum((judged.pairs for judged in done), Counter())
    undisturbed = [judged for judged in done if not judged.changed]
    return {
        "command": "python -m tests.fleets",
        "fleets": len(done),
        "not_as_planned": sum(bool(judged.problems) for judged in done),
        "pairs": dict(pairs.most_common()),
        "undisturbed": len(undisturbed),
        "planned_calls": sum(judged.planned_calls for judged in undisturbed),
        "calls": sum(judged.calls for judged in undisturbed),
        "plans_refused_as_untrue": sum(judged.was_refused for judged in done),
    }


async def _with_roles(url: str) -> None:
    """The roles are the server's: two processes would make them at once."""
    databases = TestDatabases(url)
    await databases.create_database("tool_sync")
    await databases.close()


@contextlib.contextmanager
def _server() -> Iterator[str]:
    """Lends the address of a PostgreSQL server: the one that is given, or one that lasts as long as the run."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="zerotouch-fleets-", ignore_cleanup_errors=True) as folder, \
            asyncio.Runner() as runner:  # fmt: skip
        server = runner.run(postgres.start(Path(folder) / "data", fsync=False))
        try:
            yield server.admin_url
        finally:
            runner.run(server.stop())


if __name__ == "__main__":
    sys.exit(main())
