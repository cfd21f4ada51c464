"""README.md describes every row that a benchmark can give, and only goals that can be read."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks import append, sync_throughput
from benchmarks.goals import limits
from benchmarks.machine import ROOT

FOLDER = ROOT / "benchmarks"
MAKES_A_ROW = {"Row", "row"}


def made_in(path: Path) -> Iterator[tuple[str, str | None]]:
    """Name and goal of each row that a module makes of literals."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MAKES_A_ROW:
            words = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            named = {each.arg: each.value for each in node.keywords}
            name = named.get("name")
            if isinstance(name, ast.Constant):
                words.insert(0, str(name.value))
            goal = named.get("goal")
            if words:
                yield words[0], goal.value if isinstance(goal, ast.Constant) and isinstance(goal.value, str) else None


ROWS = {
    **{name: goal for path in sorted(FOLDER.glob("*.py")) for name, goal in made_in(path)},
    **{name: goal for name, (_, goal) in {**sync_throughput.PEERS, **append.PEERS}.items()},
}


def test_rows_are_found() -> None:
    assert {"burst_1000_seconds", "claim_ms_500000_orgs", "sync_throughput_dbos", "memory_growth_mb"} <= ROWS.keys()


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_described(name: str) -> None:
    table = [line for line in (FOLDER / "README.md").read_text().splitlines() if line.startswith("| `")]
    assert any(f"`{name}`" in line.split("|")[1] for line in table)


@pytest.mark.parametrize("name", [name for name, goal in ROWS.items() if goal])
def test_a_goal_can_be_read(name: str) -> None:
    assert limits(ROWS[name])
