"""What is left of the attacks: nothing secret in the log file, and an event log that is as it was signed."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.attack.target import Target
from tests.attack.verdict import Tried

from devstack.tokens import new_signer

COMMAND_SECONDS_MAX: Final = 60.0
_TOKEN: Final = re.compile(r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}")
LOG_CHECK: Final = "DATABASE_URL=$TOOL_SYNC_DATABASE_URL .venv/bin/tool-sync log verify --heads"


async def canaries(target: Target) -> Tried:
    """The secret of this run, and every token of the stack that was shown, in what both services wrote down."""
    text = await asyncio.to_thread(_since, target.stack.log_file, target.log_from)
    secrets = {
        "a hostile request's canary": target.canary,
        "the webhook's token": target.stack.webhook_token,
    }
    found = [f"{name} is in {target.stack.log_file.name}" for name, secret in secrets.items() if secret in text]
    found += ["a token is in it"] if _TOKEN.search(text) else []
    if not text:
        found.append(f"nothing was written to {target.stack.log_file}")
    check = f"grep -c {target.canary} $LOG_FILE"
    return Tried("log", "no secret of the attacks in the log file", len(secrets) + 1, found, check)


def _since(file: Path, position: int) -> str:
    with file.open("rb") as opened:
        opened.seek(position)
        return opened.read().decode(errors="replace")


async def heads(target: Target) -> Tried:
    """`tool-sync log verify --heads` finds nothing with the stack's key, and proves nothing with a stranger's.

    A stack that is younger than its first head (a minute) is not judged by it: the log's own hashes are.
    """
    known = await _verify(target, Path(target.stack.env["LOG_VERIFY_KEYS"]))
    with TemporaryDirectory() as folder:
        strange = Path(folder, "keys.pem")
        await asyncio.to_thread(strange.write_text, new_signer().public_key)
        foreign = await _verify(target, strange)
    found = [] if known[0] == 0 or "proved: NOTHING; no head is of this log" in known[1] else [known[1].strip()[-200:]]
    found += [] if foreign[0] == 1 else [f"with a stranger's key: exit status {foreign[0]}"]
    return Tried("log", "the event log is as it was signed", 2, found, LOG_CHECK)


async def _verify(target: Target, keys: Path) -> tuple[int, str]:
    env = {**os.environ, **target.stack.env, "LOG_VERIFY_KEYS": str(keys)}
    env["DATABASE_URL"] = env["TOOL_SYNC_DATABASE_URL"]
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tool_sync", "log", "verify", "--heads", env=env,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        said, _ = await asyncio.wait_for(child.communicate(), COMMAND_SECONDS_MAX)
    except TimeoutError:
        child.kill()
        await child.wait()
        return -1, "log verify did not end"
    return child.returncode or 0, said.decode(errors="replace")
