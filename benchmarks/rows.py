"""A row of the result: how it is computed from rounds, printed and written.

``ratio`` is better when larger: ours / peer for rates, peer / ours for times.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from benchmarks.goals import met
from benchmarks.machine import this_machine

Better = Literal["higher", "lower"]
_VERDICTS = {True: "met", False: "missed", None: ""}


@dataclass(frozen=True, slots=True)
class Row:
    """One measured thing. ``ours_rounds`` and ``peer_rounds`` hold one figure per round; the row shows their medians.

    ``goal`` is what the project promises, in words that `goals` reads; null where it promises nothing. ``not_run`` says
    why a peer that belongs to the row has no rounds.
    """

    name: str
    unit: str
    better: Better
    ours_rounds: tuple[float, ...]
    peer_rounds: tuple[float, ...] = ()
    peer_name: str | None = None
    goal: str | None = None
    not_run: str | None = None

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


def write(rows: Sequence[Row], folder: Path) -> None:
    """Write ``latest.json``, one list of rows, and ``rounds.json`` beside it; a half-written file is never seen."""
    folder.mkdir(parents=True, exist_ok=True)
    where = str(this_machine())
    _replace(folder / "latest.json", [row.document(where) for row in rows])
    _replace(folder / "rounds.json", [row.every_round() for row in rows])


def _replace(path: Path, content: object) -> None:
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(content, indent=2) + "\n")
    unfinished.replace(path)


def show(rows: Sequence[Row], console: Console) -> None:
    """Print the table."""
    table = Table(title=f"Zerotouch on {this_machine()}", title_justify="left")
    table.add_column("row")
    for heading in ("ours", "peer", "ratio", "unit", "goal", "", "beside"):
        table.add_column(heading, justify="right" if heading in ("ours", "peer", "ratio") else "left")
    for row in rows:
        peer = "NOT RUN" if row.not_run is not None else _shown(row.peer)
        table.add_row(
            row.name,
            _shown(row.ours),
            peer,
            _shown(row.ratio),
            row.unit,
            row.goal or "",
            _VERDICTS[met(row.goal, row.ours, row.ratio)],
            row.peer_name or "",
        )
    console.print(table)


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}") if abs(value) < 10_000 else round(value)


def _shown(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
