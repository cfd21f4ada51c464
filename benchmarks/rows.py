"""A row of the result: how it is computed from rounds, printed and written.

``ratio`` is better when larger: ours / peer for rates, peer / ours for times.
"""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

Better = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class Row:
    """One measured thing. ``ours_rounds`` and ``peer_rounds`` hold one figure per round; the row shows their medians.

    ``goal`` is what the project promises, in words; null where it promises nothing.
    """

    name: str
    unit: str
    better: Better
    ours_rounds: tuple[float, ...]
    peer_rounds: tuple[float, ...] = ()
    peer_name: str | None = None
    goal: str | None = None

    @property
    def ours(self) -> float:
        """The median of our rounds."""
        return median(self.ours_rounds)

    @property
    def peer(self) -> float | None:
        """The median of the peer's rounds; None where there is no peer."""
        return median(self.peer_rounds) if self.peer_rounds else None

    @property
    def ratio(self) -> float | None:
        """How we compare, better when larger; None where there is no peer."""
        if self.peer is None:
            return None
        return self.ours / self.peer if self.better == "higher" else self.peer / self.ours

    def document(self, machine: str) -> dict[str, Any]:
        """The row as it is written; ``rounds`` is how many rounds the medians are of."""
        return {
            "name": self.name,
            "ours": _rounded(self.ours),
            "peer": _rounded(self.peer),
            "peer_name": self.peer_name,
            "ratio": _rounded(self.ratio),
            "unit": self.unit,
            "machine": machine,
            "rounds": len(self.ours_rounds),
        }

    def every_round(self) -> dict[str, Any]:
        """Each single figure, for whoever doubts a median."""
        return {
            "name": self.name,
            "ours": [_rounded(value) for value in self.ours_rounds],
            "peer": [_rounded(value) for value in self.peer_rounds],
        }


def machine() -> str:
    """The machine in words: processor, cores that we may use, memory, system, Python."""
    cores = len(os.sched_getaffinity(0))
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{_processor()}, {cores} cores, {memory_gb:.0f} GB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}"
    )


def write(rows: Sequence[Row], folder: Path) -> None:
    """Write ``latest.json``, one list of rows, and ``rounds.json`` beside it; a half-written file is never seen."""
    folder.mkdir(parents=True, exist_ok=True)
    where = machine()
    _replace(folder / "latest.json", [row.document(where) for row in rows])
    _replace(folder / "rounds.json", [row.every_round() for row in rows])


def _replace(path: Path, content: object) -> None:
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(content, indent=2) + "\n")
    unfinished.replace(path)


def show(rows: Sequence[Row], console: Console) -> None:
    """Print the table."""
    table = Table(title=f"Zerotouch on {machine()}", title_justify="left")
    table.add_column("row")
    for heading in ("ours", "peer", "ratio", "unit", "goal", "beside"):
        table.add_column(heading, justify="right" if heading in ("ours", "peer", "ratio") else "left")
    for row in rows:
        figures = (_shown(row.ours), _shown(row.peer), _shown(row.ratio))
        table.add_row(row.name, *figures, row.unit, row.goal or "", row.peer_name or "")
    console.print(table)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}") if abs(value) < 10_000 else round(value)


def _shown(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
