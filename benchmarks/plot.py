"""``python -m benchmarks.plot``: draw the rows of all kept runs over time into one SVG file, a panel a row.

A dot is the median of a run's rounds, the bar through it reaches from the smallest to the largest of them; the dashed
line is the goal. A goal about the ratio is drawn as the figure that ours had to reach beside that run's peer. Only
runs on the newest run's kind of machine are drawn, since figures of two machines say nothing about each other.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime
from math import ceil
from pathlib import Path
from statistics import median

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.goals import Limit, limits
from benchmarks.machine import Machine
from benchmarks.rows import Row
from benchmarks.run_history import HISTORY, Run, read_all

OUT = Path(__file__).parent / "out" / "history.svg"
COLUMNS = 3
PANEL_INCHES = (5.0, 2.8)
OURS_COLOR, PEER_COLOR, GOAL_COLOR = "tab:blue", "tab:gray", "tab:red"
Point = tuple[datetime, Row]


def draw(runs: Sequence[Run], path: Path) -> int:
    """Draw the runs, oldest first, of which there must be one; returns how many of another machine were left out."""
    drawn = [run for run in runs if _kind(run.machine) == _kind(runs[-1].machine)]
    names = list(dict.fromkeys(row.name for run in drawn for row in run.rows))
    lines = ceil(len(names) / COLUMNS)
    figure = Figure(figsize=(PANEL_INCHES[0] * COLUMNS, PANEL_INCHES[1] * lines + 1), layout="constrained")
    figure.suptitle(f"{len(drawn)} runs on {drawn[-1].machine}; bars reach from the smallest to the largest round")
    for number, name in enumerate(names, start=1):
        points = [(run.at, row) for run in drawn for row in run.rows if row.name == name]
        _panel(figure.add_subplot(lines, COLUMNS, number), name, points)
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "zerotouch"}):  # text stays text; ids stay the same
        figure.savefig(path, format="svg", metadata={"Date": None})
    return len(runs) - len(drawn)


def goal_figure(limit: Limit, row: Row) -> float | None:
    """What ours had to reach in this run; None where that depends on a peer that was not run."""
    if not limit.of_ratio:
        return limit.number
    if row.peer is None:
        return None
    return row.peer * limit.number if row.better == "higher" else row.peer / limit.number


def _panel(axes: Axes, name: str, points: Sequence[Point]) -> None:
    newest = points[-1][1]
    axes.set_title(f"{name}, {newest.goal or 'no goal'}", fontsize=9)
    axes.set_ylabel(f"{newest.unit}, {newest.better} is better", fontsize=7)
    axes.tick_params(labelsize=7)
    axes.tick_params("x", labelrotation=30)
    _rounds(axes, f"ours-{name}", [(at, row.ours_rounds) for at, row in points], "ours", OURS_COLOR)
    compared = [(at, row.peer_rounds) for at, row in points if row.peer_rounds]
    _rounds(axes, f"peer-{name}", compared, newest.peer_name or "peer", PEER_COLOR)
    for number, limit in enumerate(limits(newest.goal), start=1):
        reach = [(at, figure) for at, row in points if (figure := goal_figure(limit, row)) is not None]
        if reach:
            _goal(axes, f"goal-{number}-{name}", reach)
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=6, loc="best")


def _rounds(
    axes: Axes, group: str, points: Sequence[tuple[datetime, tuple[float, ...]]], label: str, color: str
) -> None:
    """Medians, and a bar from the smallest to the largest; ``group`` is the id of the bars in the drawing."""
    if not points:
        return
    middles = [median(rounds) for _, rounds in points]
    below = [middle - min(rounds) for middle, (_, rounds) in zip(middles, points, strict=True)]
    above = [max(rounds) - middle for middle, (_, rounds) in zip(middles, points, strict=True)]
    drawn = axes.errorbar(
        [at for at, _ in points],  # type: ignore[arg-type]  # dates are drawn, as matplotlib's manual says
        middles,
        yerr=[below, above],
        fmt="o-",
        markersize=3,
        linewidth=1,
        capsize=3,
        color=color,
        label=label,
    )
    for bars in drawn.lines[2]:
        bars.set_gid(group)


def _goal(axes: Axes, group: str, points: Sequence[tuple[datetime, float]]) -> None:
    """The goal; a lone run has a line of its own width."""
    figures = [figure for _, figure in points]
    if len(set(figures)) == 1:
        line = axes.axhline(figures[0], linestyle="--", linewidth=1, color=GOAL_COLOR, label="goal")
    else:
        dates = [at for at, _ in points]
        [line] = axes.plot(dates, figures, "--", linewidth=1, color=GOAL_COLOR, label="goal")  # type: ignore[arg-type]
    line.set_gid(group)


def _kind(machine: Machine) -> tuple[str, int]:
    return machine.processor, machine.cores


def main(arguments: Sequence[str]) -> int:
    """Read the options and draw; exit status 2 where no run is kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plot", description=__doc__)
    parser.add_argument("--history", type=Path, default=HISTORY, help="the folder of the runs")
    parser.add_argument("--out", type=Path, default=OUT, help="the file to write")
    options = parser.parse_args(arguments)
    runs = read_all(options.history)
    if not runs:
        print(f"{options.history} has no run; `make bench` writes one", file=sys.stderr)
        return 2
    left_out = draw(runs, options.out)
    print(f"wrote {options.out}; runs left out, of another machine: {left_out}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
