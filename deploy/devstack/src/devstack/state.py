"""What a running stack leaves on disk for the other commands: `state.json` in the state folder.

It is written after every start and removed after the stop; only its owner can read it.
"""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from devstack import guard, process

STOP_SECONDS = 20.0
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_START_TIME = 19
"""Of the fields after the name in `/proc/PID/stat`: proc(5)'s field 22, in ticks since the boot."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One process of the stack. `born`, from `birth_of`, tells it from a later one with the same pid."""

    name: str
    pid: int
    born: str
    stop_signal: int
    log: str

    @property
    def running(self) -> bool:
        """Whether this very process still runs."""
        try:
            return birth_of(self.pid) == self.born and psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


@dataclass(frozen=True, slots=True)
class State:
    """The processes in the order of their start, and the addresses that `devstack env` prints."""

    entries: tuple[Entry, ...]
    env: Mapping[str, str]


def path(state_dir: Path) -> Path:
    """Returns the place of the state file."""
    return state_dir / "state.json"


def entry(child: process.Child) -> Entry:
    """Describes a running child."""
    return Entry(child.name, child.pid, birth_of(child.pid), int(child.stop_signal), str(child.log))


def birth_of(pid: int) -> str:
    """When a process was born, in a form that stays the same while it lives; raises `psutil.NoSuchProcess`.

    On Linux the boot's id and the ticks since that boot: psutil's `create_time` adds the ticks to the boot time, which
    the kernel takes from the wall clock, so it moves with every process's when the clock is set.
    """
    if not _BOOT_ID.exists():
        return str(psutil.Process(pid).create_time())
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        raise psutil.NoSuchProcess(pid) from None
    ticks = stat.rpartition(")")[2].split()[_START_TIME]  # the name before it may hold blanks and brackets
    return f"{_BOOT_ID.read_text().strip()}:{ticks}"


def save(state_dir: Path, state: State) -> None:
    """Writes the state, whole or not at all."""
    state_dir.mkdir(parents=True, exist_ok=True)
    new = path(state_dir).with_suffix(".new")
    text = json.dumps({"entries": [asdict(e) for e in state.entries], "env": dict(state.env)}, indent=2)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    new.replace(path(state_dir))


def load(state_dir: Path) -> State | None:
    """Reads the state; None where no stack was left running."""
    if not path(state_dir).exists():
        return None
    data = json.loads(path(state_dir).read_text())
    return State(tuple(Entry(**e) for e in data["entries"]), data["env"])


def remove(state_dir: Path) -> None:
    """Forgets the state."""
    path(state_dir).unlink(missing_ok=True)


async def stop(entries: Iterable[Entry]) -> None:
    """Stops processes of an earlier command one after the other, each with its whole group."""

    async def ended(one: Entry) -> str | None:
        return "still running" if one.running else None

    for one in entries:
        if one.running:
            guard.signal_group(one.pid, one.stop_signal)
            if await process.wait_until(lambda one=one: ended(one), STOP_SECONDS) is not None:  # type: ignore[misc]
                guard.signal_group(one.pid, 9)
                await process.wait_until(lambda one=one: ended(one), STOP_SECONDS)  # type: ignore[misc]
