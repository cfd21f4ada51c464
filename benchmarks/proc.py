"""What the kernel knows about processes: CPU seconds and peak memory, read from /proc."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PARENT, _UTIME, _STIME, _CHILDREN_UTIME, _CHILDREN_STIME = 1, 11, 12, 13, 14  # after the name, from 0


@dataclass(frozen=True, slots=True)
class Shares:
    """Where CPU went between two moments, in seconds per part of the system."""

    seconds: dict[str, float]

    def __str__(self) -> str:
        total = sum(self.seconds.values()) or 1.0
        return ", ".join(f"{name} {value:.1f} s ({value / total:.0%})" for name, value in self.seconds.items())


def cpu_seconds(pid: int, *, with_children: bool = False) -> float:
    """CPU seconds that a process has used; ``with_children`` adds those it has and had (PostgreSQL's backends)."""
    own = _stat(pid)
    used = float(own[_UTIME] + own[_STIME])
    if with_children:
        used += own[_CHILDREN_UTIME] + own[_CHILDREN_STIME]
        used += sum(stat[_UTIME] + stat[_STIME] for stat in _all_stats() if stat[_PARENT] == pid)
    return used / _TICKS_PER_SECOND


def peak_memory_mb(pid: int) -> float:
    """The largest resident set that a process has had, MB of 1,000,000 bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ValueError(f"process {pid} has no memory: it has ended")


def _stat(pid: int) -> list[int]:
    # The name, in brackets, may hold anything; the state after it is the only field that is no number.
    _, *numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return [0, *map(int, numbers)]


def _all_stats() -> list[list[int]]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                found.append(_stat(int(folder.name)))
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended between the two reads; its parent has its time
    return found
