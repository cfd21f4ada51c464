"""No route tells or changes anything of another clinic, whoever asks and wherever it is named; nor does row-level
security alone."""

import time

import pytest

from . import matrix, rows
from .conftest import Open

REQUESTS_LEAST = 3_000
STATEMENTS_LEAST = 2_000
"""Of each service: together 10,000 probes."""
SECONDS_MAX = 90


@pytest.fixture(params=["assistant_api", "tool_sync"])
def opened(request: pytest.FixtureRequest) -> Open:
    found: Open = request.getfixturevalue(request.param)
    return found


@pytest.mark.timeout(SECONDS_MAX)
async def test_nobody_is_told_or_changes_anything_of_another_clinic(
    opened: Open, capsys: pytest.CaptureFixture[str]
) -> None:
    async with opened() as world:
        started = time.monotonic()
        report = await matrix.run(world)
        say(capsys, f"{world.service}: {report.probes:,} requests in {time.monotonic() - started:.1f} s")
        assert not report.findings, "\n".join(report.findings[:60])
        empty = matrix.unanswered(world, report)
        assert not empty, f"nobody who may got anything of {empty}: what is filled in is not right"
        own = world.clinics.own.canaries
        unseen = sorted(what for what, text in own.items() if text not in report.shown)
        assert not unseen, f"not even its own clinic was shown {unseen}: nothing is proved by their absence"
        assert report.probes >= REQUESTS_LEAST


@pytest.mark.timeout(SECONDS_MAX)
async def test_row_level_security_alone_shows_and_takes_no_row_of_another(
    opened: Open, capsys: pytest.CaptureFixture[str]
) -> None:
    async with opened() as world:
        started = time.monotonic()
        report = await rows.run(world)
        say(capsys, f"{world.service}: {report.probes:,} statements in {time.monotonic() - started:.1f} s")
        assert not report.findings, "\n".join(report.findings[:60])
        assert len(report.seen) >= 5, f"tables of which a tenant was shown its own rows: {sorted(report.seen)}"
        assert report.probes >= STATEMENTS_LEAST


def say(capsys: pytest.CaptureFixture[str], text: str) -> None:
    """Print it in any case."""
    with capsys.disabled():
        print(f"\n{text}")
