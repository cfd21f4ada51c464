"""The machine, the versions and the commit that a run's figures belong to."""

import os
import platform
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import asyncpg

ROOT = Path(__file__).parents[1]
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it was measured. ``cores`` are those that we may use; ``memory_gb`` is of 2^30 bytes."""

    processor: str
    cores: int
    memory_gb: int
    kernel: str
    python: str

    def __str__(self) -> str:
        return f"{self.processor}, {self.cores} cores, {self.memory_gb} GB, {self.kernel}, Python {self.python}"

    def document(self) -> dict[str, Any]:
        """The same for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Commit:
    """What was measured. ``changed``: files that are tracked differed from it."""

    id: str
    changed: bool


def this_machine() -> Machine:
    """The machine on which we run."""
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        kernel=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
    )


def this_commit(root: Path = ROOT) -> Commit:
    """The commit of the checkout; unknown outside of one."""
    found = _git(root, "rev-parse", "HEAD")
    if found is None:
        return Commit(UNKNOWN, changed=True)
    return Commit(found, changed=_git(root, "status", "--porcelain", "--untracked-files=no") != "")


async def postgres_version(url: str) -> str:
    """The version that the server names."""
    connection = await asyncpg.connect(url)
    try:
        return str(await connection.fetchval("SHOW server_version"))
    finally:
        await connection.close()


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
