"""A log with many kinds of events, and the two commands over one folder."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from devstack.databases import DatabaseUrls
from tool_sync.cli.log_archive import archive_log
from tool_sync.cli.log_heads import HeadsSource
from tool_sync.cli.log_verify_archive import verify_archived
from tool_sync.db import SESSIONS
from tool_sync.log import EventLog
from tool_sync.log.archive.request import WhatToArchive

from .making import fill

Said: TypeAlias = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the archive is; not there yet."""
    return tmp_path / "archive"


@pytest.fixture
def archive(tool_sync_db: DatabaseUrls, folder: Path, capsys: pytest.CaptureFixture[str]) -> Said:
    """``log archive`` in segments of four events: exit status and what it says. What stands in its way is raised."""

    async def run(through: int | None = None, segment_events: int = 4) -> tuple[int, str]:
        capsys.readouterr()
        connection = await SESSIONS.connect(tool_sync_db.service, application_name="test")
        try:
            code = await archive_log(connection, folder, WhatToArchive(through, None, segment_events), as_json=False)
        finally:
            await connection.close()
        return code, " ".join(capsys.readouterr().out.split())

    return run


@pytest.fixture
def verify(tool_sync_db: DatabaseUrls, folder: Path, capsys: pytest.CaptureFixture[str]) -> Said:
    """``log verify-archive``, in the same way; ``live``: beside the log."""

    async def run(source: HeadsSource | None = None, *, live: bool = False) -> tuple[int, str]:
        capsys.readouterr()
        connection = await SESSIONS.connect(tool_sync_db.service, application_name="test") if live else None
        try:
            code = await verify_archived(connection, folder, source, as_json=False)
        finally:
            if connection is not None:
                await connection.close()
        return code, " ".join(capsys.readouterr().out.split())

    return run


@pytest.fixture
async def archived(log: EventLog, archive: Said) -> None:
    """Twelve events in three segments; the second has positions 5 to 8, and row 1 of it is position 6."""
    await fill(log, 12, seed=3)
    assert (await archive())[0] == 0
