"""``tool-sync log archive``: what is new in the log, into a folder of Parquet files."""

from dataclasses import asdict
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tool_sync.cli.bar import bar
from tool_sync.cli.exits import EXIT_FOUND, fail
from tool_sync.cli.output import print_json, print_line, say_not_looked_at
from tool_sync.db import Connection

if TYPE_CHECKING:
    from tool_sync.log.archive.request import WhatToArchive
    from tool_sync.log.archive.writing import LogArchived

NO_PYARROW: Final = (
    "archives need pyarrow, which is not installed and not in the image: install tool-sync with its extra `archive`,"
    " or pyarrow alone (`pip install pyarrow`), where you run this"
)
NOT_LOOKED_AT: Final = (
    "files that were there before, but for their size: `tool-sync log verify-archive`",
    "what cannot be seen in an event and the one before it: `tool-sync log verify`",
)


def require_pyarrow() -> None:
    """End the command where the extra is not installed."""
    if find_spec("pyarrow") is None:
        fail(NO_PYARROW)


async def archive_log(connection: Connection, folder: Path, what: "WhatToArchive", *, as_json: bool) -> int:
    """Write it and print what was written; returns the exit status."""
    from tool_sync.log.archive.writing import archive

    with bar() as say:
        done = await archive(
            connection, folder, what, lambda: datetime.now(UTC), lambda position, end: say("archive", position, end)
        )
    if as_json:
        print_json("log archive", {"ok": not done.findings, **_shown(done)}, not_looked_at=NOT_LOOKED_AT)
    else:
        _say(folder, done)
        say_not_looked_at(NOT_LOOKED_AT)
    return EXIT_FOUND if done.findings else 0


def _shown(done: "LogArchived") -> dict[str, object]:
    return {
        "through": done.through,
        "head": done.head,
        "written": [segment.model_dump() for segment in done.written],
        "taken_in": [segment.model_dump() for segment in done.taken_in],
        "findings": [asdict(finding) for finding in done.findings],
    }


def _say(folder: Path, done: "LogArchived") -> None:
    for finding in done.findings:
        print_line(f"position {finding.position}: {finding.problem}")
    for segment in done.taken_in:
        print_line(f"{segment.file}: taken in, as a run that was ended left it whole")
    for segment in done.written:
        print_line(f"{segment.file}: {segment.events:,} events, {segment.bytes:,} bytes")
    if done.findings:
        print_line("the log is NOT as it was written, so no more of it was archived: see `tool-sync log verify`")
    elif not done.written:
        print_line("nothing is new")
    print_line(f"{folder} has events 1 to {done.through:,}; the log ends at {done.head:,}")
