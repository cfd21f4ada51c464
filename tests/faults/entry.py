"""Starts a service as its own entry point does, with the gate around its ports.

``python -m tests.faults.entry SERVICE``, or forked by `tests.faults.nursery`, which has imported it before.

The environment is the service's own. `FAULTS_SOCKET` and `FAULTS_NAME` connect it to a harness, which arms points and
hears of them; `FAULTS_POINT` arms one from the start. With neither, the service runs as ever, watched for blocks.
"""

import json
import os
import random
import sys
from importlib import import_module
from typing import Any, Final

from tests.faults.channel import Channel
from tests.faults.gate import FROM_START, Gate, Point

COMMAND: Final = "FAULTS_COMMAND"
"""Environment variable with the words of a command of tool-sync's, as JSON."""
SERVICES: Final = ("tool_sync", "tool_sync_command", "assistant_api", "vapi_sandbox")
PRELOADED: Final = (
    "assistant_api.app.serve",
    "tool_sync.cli.app",
    "tool_sync.cli.run",
    "vapi_sandbox.__main__",
    "tests.faults.assistant_api_ports",
    "tests.faults.tool_sync_ports",
)

UNSET: Final = (
    "control_token", "latency_ms", "rate_limit_per_minute", "dials", "webhook_token", "webhook_hmac_key",
)  # fmt: skip
"""Options of the sandbox that stay as they are when its command line is not used."""


def preload() -> None:
    """Import what the services need, so that a process that is forked from this one starts at once."""
    for module in PRELOADED:
        import_module(module)


def main(service: str) -> int:
    """Run a service until its end; the exit status is its own."""
    random.seed()  # a forked process must not throw its parent's dice
    match service:
        case "tool_sync":
            from tests.faults import tool_sync_ports

            from tool_sync.cli.run import run_service
            from tool_sync.settings import Settings as ToolSyncSettings

            tool_sync_ports.wrap(_gate())
            return run_service(ToolSyncSettings())
        case "tool_sync_command":
            from tests.faults import tool_sync_ports

            from tool_sync.cli.app import app

            tool_sync_ports.wrap(_gate())
            app(json.loads(os.environ[COMMAND]))
            return 0
        case "assistant_api":
            from tests.faults import assistant_api_ports

            from assistant_api.app.serve import serve
            from assistant_api.settings import Settings

            assistant_api_ports.wrap(_gate())
            return serve(Settings())
        case "vapi_sandbox":
            from vapi_sandbox.__main__ import run

            sys.stdout = sys.stderr
            nothing: dict[str, Any] = dict.fromkeys(UNSET)
            keys = os.environ["VAPI_SANDBOX_KEYS"].split()
            run(port=int(os.environ["VAPI_SANDBOX_PORT"]), host="127.0.0.1", key=keys, no_keep_bodies=False, **nothing)
            return 0
        case _:
            raise ValueError(f"{service!r} is none of {', '.join(SERVICES)}")


def _gate() -> Gate:
    given = os.environ.get(FROM_START)
    return Gate(Channel.from_environment(), Point.of(json.loads(given)) if given else None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
