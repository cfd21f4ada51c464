"""The command line as people use it: a process of its own."""

import asyncio
import json
import os
import sys
from typing import Any

from tests.support.widths import too_wide


async def command(*arguments: str, database_url: str, **env: str) -> tuple[int | None, str, str]:
    """Exit status, stdout and stderr of ``python -m tool_sync …``; ``env`` is all else that it is told.

    Whatever it prints for people is folded: that is asserted here, of every command that a test runs.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tool_sync", *arguments,
        env={"PATH": os.environ["PATH"], "DATABASE_URL": database_url, **env},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        stdout, stderr = await process.communicate()
    if "--json" not in arguments:
        assert too_wide(stdout.decode()) == [], "it could have been folded: see zerotouch_platform/lines.py"
    return process.returncode, stdout.decode(), stderr.decode()


def envelope(stdout: str) -> dict[str, Any]:
    """What ``--json`` prints."""
    document: dict[str, Any] = json.loads(stdout)
    assert list(document) == ["command", "at", "complete", "not_looked_at", "result"]
    return document


def result(stdout: str) -> Any:
    """What was asked for."""
    return envelope(stdout)["result"]
