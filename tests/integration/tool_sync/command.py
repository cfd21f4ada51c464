"""The command line as people use it: a process of its own."""

import asyncio
import json
import os
import sys
from typing import Any


async def command(*arguments: str, database_url: str, **env: str) -> tuple[int | None, str, str]:
    """Exit status, stdout and stderr of ``python -m tool_sync …``; ``env`` is all else that it is told."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tool_sync", *arguments,
        env={"PATH": os.environ["PATH"], "DATABASE_URL": database_url, **env},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        stdout, stderr = await process.communicate()
    return process.returncode, stdout.decode(), stderr.decode()


def envelope(stdout: str) -> dict[str, Any]:
    """What ``--json`` prints."""
    document: dict[str, Any] = json.loads(stdout)
    assert list(document) == ["command", "at", "complete", "not_looked_at", "result"]
    return document


def result(stdout: str) -> Any:
    """What was asked for."""
    return envelope(stdout)["result"]
