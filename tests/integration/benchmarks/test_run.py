"""A run of made-up benchmarks on real servers: what it leaves behind, and how it ends."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from benchmarks import __main__ as command
from benchmarks import run_history
from benchmarks.errors import NotMeasured
from benchmarks.machine import UNKNOWN, this_machine
from benchmarks.rows import Row
from benchmarks.world import World

from devstack.databases import TestDatabases
from devstack.fixtures import TestKafka

ROW = Row("made_up", "x/s", "higher", (3.0, 1.0, 2.0), (1.0,), "a peer", "ratio ≥ 3")


async def measured(world: World) -> list[Row]:
    """A benchmark that works."""
    return [ROW]


async def failing(world: World) -> list[Row]:
    """A benchmark that does not."""
    raise NotMeasured("3 of 4 outcomes within 1 s")


Run = Callable[..., Awaitable[int]]


@pytest.fixture
def run(postgres: TestDatabases, kafka: TestKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The exit status of `python -m benchmarks` with these benchmarks and options."""
    monkeypatch.setenv("TEST_DATABASE_URL", postgres.admin_url)
    monkeypatch.setenv("TEST_KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap_servers)

    async def with_these(found: dict[str, object], *options: str) -> int:
        monkeypatch.setattr(command, "benchmarks", lambda rounds, saves: found)
        places = ["--out", str(tmp_path / "out"), "--history", str(tmp_path / "history")]
        return await command.run(command.parsed([*places, *options]))

    return with_these


async def test_a_whole_run_is_kept_with_what_it_could_not_measure(run: Run, tmp_path: Path) -> None:
    assert await run({"made_up": measured, "broken": failing}) == 1
    [kept] = run_history.read_all(tmp_path / "history")
    assert kept.rows == (ROW,)
    assert kept.not_measured == {"broken": "NotMeasured: 3 of 4 outcomes within 1 s"}
    assert kept.machine == this_machine()
    assert kept.postgres.startswith("18")
    assert kept.commit.id != UNKNOWN


async def test_what_is_measured_by_its_name_is_not_kept(run: Run, tmp_path: Path) -> None:
    assert await run({"made_up": measured, "broken": failing}, "--only", "made_up") == 0
    assert not (tmp_path / "history").exists()
    assert not (tmp_path / "out" / "latest.json").exists()


async def test_what_takes_minutes_is_left_out_unless_asked_for(run: Run, tmp_path: Path) -> None:
    found = {"made_up": measured, "memory_growth": failing}
    assert await run(found) == 0
    assert await run(found, "--long", "--only", "memory_growth") == 1
