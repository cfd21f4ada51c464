"""Starts a service as its own entry point does, after breaking it on purpose.

    python -m tests.checker.selftest.entry tool_sync run

``CHECKER_MUTANT`` names a function of :mod:`mutants`, ``CHECKER_TRAP`` one of :mod:`traps`; either may be empty.
"""

import importlib
import os
import sys

from tests.checker.selftest import mutants, traps


def main() -> None:
    """Apply what the environment names, then run the service."""
    service, *arguments = sys.argv[1:]
    sys.argv = [service, *arguments]
    # Traps first: a mutant that wraps the same port then meets the trap where the service itself would.
    if trap := os.environ.get("CHECKER_TRAP"):
        traps.TRAPS[trap]()
    mutant = mutants.MUTANTS.get(os.environ.get("CHECKER_MUTANT", ""))
    if mutant is not None and mutant.service == service and mutant.patch is not None:
        mutant.patch()
    importlib.import_module(f"{service}.__main__").main()


if __name__ == "__main__":
    main()
