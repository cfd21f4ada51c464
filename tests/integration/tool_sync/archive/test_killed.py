"""Whatever ends a run, the archive is as it was before a segment or after it, and the next run goes on."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from devstack.databases import DatabaseUrls
from tool_sync.log import EventLog
from tool_sync.log.archive.errors import ArchiveRefused

from .conftest import Said
from .making import fill, names, segments

KILLING = Path(__file__).with_name("killing.py")


async def ended(step: str, number: int, url: str, folder: Path, segment_events: int = 4) -> tuple[int | None, str]:
    """A run that is ended at that step: its exit status, and what it says on stderr."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(KILLING), step, str(number), "log", "archive", str(folder),
        "--segment-events", str(segment_events),
        env={"PATH": os.environ["PATH"], "DATABASE_URL": url},
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, wrong = await process.communicate()
    return process.returncode, wrong.decode()


# Two segments. Of each: sync the file, rename it, sync the folder; then the same of the manifest. The first manifest,
# without segments, has been before them.
FSYNCS, RENAMES = 10, 5


@pytest.mark.parametrize(
    ("step", "number"),
    [
        *((f"{when}fsync", n) for when in ("before-", "") for n in range(1, FSYNCS + 1)),
        *((f"{when}replace", n) for when in ("before-", "") for n in range(1, RENAMES + 1)),
    ],
)
async def test_a_process_that_dies_leaves_what_the_next_one_goes_on_with(
    log: EventLog, tool_sync_db: DatabaseUrls, archive: Said, verify: Said, folder: Path, step: str, number: int
) -> None:
    await fill(log, 8)
    assert await ended(step, number, tool_sync_db.service, folder) == (-signal.SIGKILL, "")
    if "manifest.json" in names(folder):
        code, said = await verify(live=True)
        unclaimed = said.count("it is not in the manifest")
        assert (code, unclaimed) in ((0, 0), (1, 1)), said
        assert "all as they were written" in said or unclaimed
        assert any(f"archive: {events} events" in said for events in (0, 4, 8))
    whole = {path: path.read_bytes() for path in segments(folder)}
    assert (await archive())[0] == 0
    assert whole.items() <= {path: path.read_bytes() for path in segments(folder)}.items()
    assert (await verify(live=True))[0] == 0
    assert [path.name[-12:-8] for path in segments(folder)] == ["0004", "0008"]
    assert names(folder) == [*(path.name for path in segments(folder)), "manifest.json"]


async def test_each_step_of_the_test_above_is_one(log: EventLog, tool_sync_db: DatabaseUrls, folder: Path) -> None:
    await fill(log, 8)
    for step, number in (("before-fsync", FSYNCS + 1), ("before-replace", RENAMES + 1)):
        assert (await ended(step, number, tool_sync_db.service, folder.with_name(step)))[0] == 0


@pytest.mark.parametrize("limit", [100, 3_000])
async def test_a_disk_that_takes_no_more_is_said_and_nothing_is_broken(
    log: EventLog, tool_sync_db: DatabaseUrls, archive: Said, verify: Said, folder: Path, limit: int
) -> None:
    await fill(log, 4)
    await archive()
    before = names(folder)
    await fill(log, 40, seed=1)
    code, wrong = await ended("bytes", limit, tool_sync_db.service, folder, segment_events=100)
    assert (code, "File too large" in wrong, "Traceback" in wrong) == (2, True, False), wrong
    assert names(folder) == before
    assert (await verify(live=True))[0] == 0
    assert (await archive())[0] == 0
    assert (await verify(live=True))[0] == 0


async def test_a_whole_segment_that_the_manifest_lacks_is_taken_in_only_if_it_is_the_logs(
    log: EventLog, tool_sync_db: DatabaseUrls, archive: Said, verify: Said, folder: Path
) -> None:
    await fill(log, 8)
    assert (await ended("replace", 4, tool_sync_db.service, folder))[0] == -signal.SIGKILL
    newest = segments(folder)[-1]
    content = newest.read_bytes()
    newest.write_bytes(content[:-1])
    with pytest.raises(ArchiveRefused, match="is not in the manifest, and not what the log has there"):
        await archive()
    assert newest.read_bytes() == content[:-1]
    newest.write_bytes(content)
    code, said = await archive()
    assert (code, f"{newest.name}: taken in" in said) == (0, True)
    assert (await verify(live=True))[0] == 0
