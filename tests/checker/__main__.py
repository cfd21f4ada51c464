"""``python -m tests.checker``: collect, judge, selftest."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from tests.checker.collect import Sources, collect
from tests.checker.dump import Dump
from tests.checker.judge import judge

BROKEN, VOID = 1, 3


def main() -> int:
    """Run the command; the status is 0, 1 for a violation, 3 for a run that proves nothing."""
    parser = argparse.ArgumentParser(prog="python -m tests.checker", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    collecting = commands.add_parser("collect", help="copy everything of a run into a directory")
    collecting.add_argument("dump", type=Path)
    collecting.add_argument("--sources", type=Path, required=True)
    judging = commands.add_parser("judge", help="judge a directory offline")
    judging.add_argument("dump", type=Path)
    judging.add_argument("--json", type=Path)
    testing = commands.add_parser("selftest", help="prove the judge by corrupted histories and mutants")
    testing.add_argument("--only", nargs="*", default=[], help="names of mutants")
    testing.add_argument("--every", type=int, default=1, help="of the mutants one of so many")
    testing.add_argument("--keep", type=Path, help="keep dumps and logs here")
    arguments = parser.parse_args()
    match arguments.command:
        case "collect":
            sources = Sources.of(json.loads(arguments.sources.read_text()))
            asyncio.run(collect(arguments.dump, sources))
            return 0
        case "judge":
            return _judge(arguments.dump, arguments.json)
        case _:
            from tests.checker.selftest.run import selftest

            return selftest(frozenset(arguments.only), arguments.every, arguments.keep)


def _judge(folder: Path, json_file: Path | None) -> int:
    verdict = judge(Dump.read(folder))
    print(verdict.table())
    if json_file is not None:
        json_file.write_text(json.dumps(verdict.document(), indent=1, default=str))
    return BROKEN if verdict.violations else VOID if verdict.void else 0


if __name__ == "__main__":
    sys.exit(main())
