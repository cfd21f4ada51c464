"""Whole runs as JSON lines in `history/`: a file a run, a line a row, every line complete by itself.

A file per run, as two branches that both measured would meet in a file per month, and as a run that should not count
is taken away by deleting its file. It is written once, at the end, and never changed.

    {"at": "2026-11-29T12:30:05Z", "commit": "…", "changed": false, "machine": {…}, "postgres": "18.1",
     "kafka": "4.4.0", "saves": 10000, "name": "sync_throughput", "unit": "syncs/s", "better": "higher",
     "goal": "ratio ≥ 1", "ours": [403.1, …], "peer": [620.4, …], "peer_name": "…", "not_run": null}
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import Commit, Machine
from benchmarks.rows import Row

HISTORY = Path(__file__).parent / "history"
DIGITS = 6


@dataclass(frozen=True, slots=True)
class Run:
    """One whole run. ``saves``: how many a round of `sync_throughput` had; ``not_measured``: why, by the benchmark."""

    at: datetime
    commit: Commit
    machine: Machine
    postgres: str
    kafka: str
    saves: int
    rows: tuple[Row, ...]
    not_measured: Mapping[str, str]


def write(run: Run, folder: Path) -> Path:
    """Write the run's file; a half-written one is never seen. Raises ``FileExistsError`` for a second of one time."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{run.at:%Y-%m-%dT%H-%M-%SZ}.jsonl"
    unfinished = path.with_suffix(".part")
    unfinished.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in _lines(run)))
    path.hardlink_to(unfinished)  # unlike a rename it replaces nothing
    unfinished.unlink()
    return path


def read_all(folder: Path) -> list[Run]:
    """Every run, the oldest first. Raises ``ValueError``, ``KeyError`` and ``TypeError`` for a file that holds none."""
    return sorted((_read(path) for path in folder.glob("*.jsonl")), key=lambda run: run.at)


def _lines(run: Run) -> list[dict[str, Any]]:
    head = {
        "at": f"{run.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "commit": run.commit.id,
        "changed": run.commit.changed,
        "machine": run.machine.document(),
        "postgres": run.postgres,
        "kafka": run.kafka,
        "saves": run.saves,
    }
    rows = [head | _row(row) for row in run.rows]
    return rows + [head | {"not_measured": name, "reason": reason} for name, reason in run.not_measured.items()]


def _row(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "unit": row.unit,
        "better": row.better,
        "goal": row.goal,
        "ours": _figures(row.ours_rounds),
        "peer": _figures(row.peer_rounds),
        "peer_name": row.peer_name,
        "not_run": row.not_run,
    }


def _figures(rounds: Sequence[float]) -> list[float]:
    return [float(f"{value:.{DIGITS}g}") for value in rounds]


def _read(path: Path) -> Run:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    if not lines:
        raise ValueError(f"{path} is empty")
    head = lines[0]
    return Run(
        at=datetime.fromisoformat(head["at"]),
        commit=Commit(head["commit"], head["changed"]),
        machine=Machine(**head["machine"]),
        postgres=head["postgres"],
        kafka=head["kafka"],
        saves=head["saves"],
        rows=tuple(_read_row(line) for line in lines if "name" in line),
        not_measured={line["not_measured"]: line["reason"] for line in lines if "not_measured" in line},
    )


def _read_row(line: dict[str, Any]) -> Row:
    return Row(
        name=line["name"],
        unit=line["unit"],
        better=line["better"],
        ours_rounds=tuple(line["ours"]),
        peer_rounds=tuple(line["peer"]),
        peer_name=line["peer_name"],
        goal=line["goal"],
        not_run=line["not_run"],
    )
