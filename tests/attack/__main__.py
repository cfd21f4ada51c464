"""Attack the stack of `make up`, print what was tried and what held, and one JSON object at the end.

Exit status 0: all of it held; 1: something did not; 2: there is nothing to attack.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.attack.campaign import NAMES, attack
from tests.attack.target import NotAttackable, NotLoopback, Stack
from tests.attack.verdict import last_line, table

from devstack import state, tokens


def running(folder: Path) -> Stack | None:
    """The stack of a state folder; None where none runs."""
    found = state.load(folder)
    if found is None or not all(entry.running for entry in found.entries):
        return None
    return Stack(
        urls={"assistant-api": found.env["ASSISTANT_API_URL"], "tool-sync": found.env["TOOL_SYNC_URL"]},
        signer=tokens.signer(folder),
        webhook_token=(folder / "webhook-token").read_text(),
        env=found.env,
    )


def main(arguments: Sequence[str]) -> int:
    """Read the options, and attack."""
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    parser.add_argument("--only", choices=NAMES, action="append", help="one part; may be repeated")
    parser.add_argument("--quick", action="store_true", help="leave out what waits for a service's patience to end")
    parser.add_argument("--state", type=Path, default=Path(".devstack"), help="the stack's folder")
    options = parser.parse_args(arguments)
    try:
        stack = running(options.state)
        if stack is None:
            print("attack: nothing is running: `make up` starts a stack, or `make demo`", file=sys.stderr)
            return 2
        rows, seconds = asyncio.run(attack(stack, options.only or NAMES, quick=options.quick))
    except (NotLoopback, NotAttackable, TimeoutError) as error:
        print(f"attack: {str(error) or 'it took too long'}", file=sys.stderr)
        return 2
    for line in table(rows):
        print(line)
    print(last_line(rows, seconds))
    return 0 if rows and all(row.held for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
