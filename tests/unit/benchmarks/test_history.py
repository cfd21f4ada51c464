"""Runs that are kept, read again and drawn: on made-up runs."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
from benchmarks import plot, run_history
from benchmarks.goals import limits
from benchmarks.machine import Commit, Machine
from benchmarks.rows import Row
from benchmarks.run_history import Run

MACHINE = Machine("Made-up Processor", 2, 24, "Linux 6.18", "3.11.7")
NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
THROUGHPUT = Row("sync_throughput", "syncs/s", "higher", (400.0, 380.5, 420.25), (600.0,), "plain", "ratio ≥ 0.7")
BURST = Row("burst_1000_seconds", "s", "lower", (2.0, 3.0), (1.5, 1.8), "plain", "ratio ≥ 1; < 4")
NOT_RUN = Row("sync_throughput_dbos", "syncs/s", "higher", (400.0,), (), "DBOS", "ratio ≥ 8", "not installed")
SVG = "{http://www.w3.org/2000/svg}"


def run(hours: int = 0, rows: tuple[Row, ...] = (THROUGHPUT, BURST, NOT_RUN), machine: Machine = MACHINE) -> Run:
    """A made-up run."""
    at = NOON + timedelta(hours=hours)
    return Run(at, Commit("0" * 40, changed=False), machine, "18.1", "4.4.0", 10_000, rows, {"claim": "TimeoutError: "})


def test_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    later, earlier = run(1), run(0)
    for each in (later, earlier):
        run_history.write(each, tmp_path)
    assert run_history.read_all(tmp_path) == [earlier, later]


def test_every_line_is_complete_by_itself(tmp_path: Path) -> None:
    path = run_history.write(run(), tmp_path)
    assert path.name == "2026-11-29T12-00-00Z.jsonl"
    for line in map(json.loads, path.read_text().splitlines()):
        assert {"at", "commit", "changed", "machine", "postgres", "kafka", "saves"} <= line.keys()


def test_a_kept_run_is_never_replaced(tmp_path: Path) -> None:
    path = run_history.write(run(), tmp_path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        run_history.write(run(rows=(BURST,)), tmp_path)
    assert path.read_bytes() == before


def test_what_is_kept_in_the_repository_can_be_read() -> None:
    for kept in run_history.read_all(run_history.HISTORY):
        for row in kept.rows:
            limits(row.goal)


def drawn(runs: list[Run], tmp_path: Path) -> ElementTree.Element:
    """The drawing of these runs, parsed."""
    for each in runs:
        run_history.write(each, tmp_path / "history")
    out = tmp_path / "out" / "history.svg"
    assert plot.main(["--history", str(tmp_path / "history"), "--out", str(out)]) == 0
    return ElementTree.parse(out).getroot()  # noqa: S314 - we have just written it


def heights(svg: ElementTree.Element, group: str) -> list[float]:
    """The y coordinates of a group's line, which grow downwards."""
    [found] = [element for element in svg.iter(f"{SVG}g") if element.get("id") == group]
    numbers = [path.get("d", "").replace("M", " ").replace("L", " ").split() for path in found.iter(f"{SVG}path")]
    return [float(y) for path in numbers for y in path[1::2]]


def test_every_row_has_a_panel_with_bars_and_its_goal(tmp_path: Path) -> None:
    svg = drawn([run(0), run(1)], tmp_path)
    text = " ".join(element.text or "" for element in svg.iter(f"{SVG}text"))
    ids = [element.get("id") for element in svg.iter(f"{SVG}g")]
    for row in (THROUGHPUT, BURST, NOT_RUN):
        assert f"{row.name}, {row.goal}" in text
        assert f"ours-{row.name}" in ids
    assert {
        "peer-sync_throughput",
        "goal-1-sync_throughput",
        "goal-1-burst_1000_seconds",
        "goal-2-burst_1000_seconds",
    } <= set(ids)
    assert "peer-sync_throughput_dbos" not in ids
    assert "goal-1-sync_throughput_dbos" not in ids


def test_bars_reach_from_the_smallest_to_the_largest_round_and_the_goal_is_where_it_belongs(tmp_path: Path) -> None:
    svg = drawn([run(0)], tmp_path)
    bottom, top = heights(svg, "ours-sync_throughput")
    [goal, _] = heights(svg, "goal-1-sync_throughput")
    per_sync = (bottom - top) / (420.25 - 380.5)
    assert goal == pytest.approx(top + (420.25 - 600 * 0.7) * per_sync, abs=0.1)


def test_a_run_of_another_machine_is_left_out(tmp_path: Path) -> None:
    other = Machine("Another Processor", 64, 512, "Linux 6.18", "3.11.7")
    lonely = Row("only_there", "s", "lower", (1.0,))
    svg = drawn([run(0, rows=(lonely,), machine=other), run(1)], tmp_path)
    assert not [element for element in svg.iter(f"{SVG}g") if element.get("id") == "ours-only_there"]


def test_without_a_run_nothing_is_drawn(tmp_path: Path) -> None:
    assert plot.main(["--history", str(tmp_path), "--out", str(tmp_path / "out.svg")]) == 2
    assert not (tmp_path / "out.svg").exists()


def test_a_goal_about_the_ratio_is_what_ours_had_to_reach_beside_that_peer() -> None:
    [of_rate] = limits("ratio ≥ 0.8")
    assert plot.goal_figure(of_rate, THROUGHPUT) == pytest.approx(480)
    assert plot.goal_figure(of_rate, BURST) == pytest.approx(1.65 / 0.8)
    assert plot.goal_figure(of_rate, NOT_RUN) is None
