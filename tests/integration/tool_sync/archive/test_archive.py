"""The log is copied into Parquet files, goes on where it ended, and reads back cell by cell as the table has it."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import asyncpg
import orjson
import pytest
from pyarrow import parquet

from devstack.databases import DatabaseUrls
from tool_sync import db
from tool_sync.log import EventLog
from tool_sync.log.archive import stored
from tool_sync.log.archive.folder import locked
from tool_sync.log.archive.request import WhatToArchive
from tool_sync.log.archive.writing import archive as archive_into

from ..command import command, result
from ..event_log.making import arrived
from .conftest import Said
from .making import fill, names, rights, segments, stamps, with_notes

CELLS = """
SELECT position, stream, version, event_id::text, org_id::text, type, schema, recorded_at, data::text, meta::text, hash,
       NULL::bytea AS previous_hash
  FROM events ORDER BY position
"""


async def test_people_archive_append_archive_again_and_verify(
    log: EventLog, tool_sync_db: DatabaseUrls, folder: Path
) -> None:
    url = tool_sync_db.service
    await fill(log, 10)
    code, said, wrong = await command("log", "archive", str(folder), "--segment-events", "4", database_url=url)
    assert (code, wrong.count("error")) == (0, 0)
    assert "has events 1 to 10; the log ends at 10" in " ".join(said.split())
    assert [path.name for path in segments(folder)] == [
        "events-000000000001-000000000004.parquet",
        "events-000000000005-000000000008.parquet",
        "events-000000000009-000000000010.parquet",
    ]
    before = {path: path.read_bytes() for path in segments(folder)}
    await fill(log, 5, seed=1)
    code, said, _ = await command("log", "archive", str(folder), "--json", database_url=url)
    assert (code, result(said)["through"], len(result(said)["written"])) == (0, 15, 1)
    assert {path: path.read_bytes() for path in before} == before
    code, said, _ = await command("log", "verify-archive", str(folder), database_url="")
    assert code == 0
    assert "archive: 15 events in 4 files, all as they were written" in said
    assert "not looked at: whether the log has the same events" in said
    code, said, _ = await command("log", "verify-archive", str(folder), "--json", database_url=url)
    found = result(said)
    assert (code, found["ok"], found["through"], found["live"]["through"]) == (0, True, 15, 15)
    assert rights(folder) == 0o700


async def test_each_cell_is_the_tables(
    log: EventLog, admin: "asyncpg.Connection[asyncpg.Record]", archive: Said, folder: Path
) -> None:
    await fill(log, 60, seed=7)
    assert (await archive(segment_events=25))[0] == 0
    archived = [row for path in segments(folder) for row in parquet.read_table(path).to_pylist()]
    assert archived == [dict(row) for row in await admin.fetch(CELLS)]
    assert {row["org_id"] is None for row in archived} == {True, False}
    assert all(isinstance(orjson.loads(row["meta"]), dict) for row in archived)


@pytest.mark.parametrize("seed", range(5))
async def test_any_log_is_archived_in_any_steps(
    log: EventLog, archive: Said, verify: Said, folder: Path, seed: int
) -> None:
    await fill(log, 13 + seed, seed)
    for until in (None,) if seed == 0 else (seed, 2 * seed, 13):
        assert (await archive(until, segment_events=1 + 2 * seed))[0] == 0
    await fill(log, 3, seed + 100)
    assert (await archive())[0] == 0
    code, said = await verify(live=True)
    assert code == 0
    assert f"archive: {16 + seed} events" in said
    assert f"positions and hashes 1 to {16 + seed} are those of the log" in said


async def test_what_is_not_new_writes_nothing(log: EventLog, archive: Said, folder: Path) -> None:
    await fill(log, 3)
    await archive()
    before = stamps(folder)
    assert "nothing is new" in (await archive())[1]
    assert "nothing is new" in (await archive(through=2))[1]
    assert stamps(folder) == before


async def test_an_empty_log_is_an_empty_archive(archive: Said, verify: Said) -> None:
    assert (await archive())[0] == 0
    assert (await verify(live=True))[0] == 0


async def test_it_stops_at_a_position_or_before_a_time(
    log: EventLog, admin: "asyncpg.Connection[asyncpg.Record]", tool_sync_db: DatabaseUrls, folder: Path
) -> None:
    await fill(log, 6)
    at = await admin.fetchval("SELECT recorded_at FROM events WHERE position = 5")
    url = tool_sync_db.service
    code, said, _ = await command("log", "archive", str(folder), "--through", "2", "--json", database_url=url)
    assert (code, result(said)["through"]) == (0, 2)
    code, said, _ = await command("log", "archive", str(folder), "--until", at.isoformat(), "--json", database_url=url)
    assert (code, result(said)["through"]) == (0, 4)


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("--through", "7"), 2, "the log ends at position 6, before 7"),
        (("--through", "1", "--until", "today"), 2, "exclude each other"),
        (("--through", "0"), 2, "greater than or equal to 1"),
        (("--segment-events", "0"), 2, "greater than or equal to 1"),
        (("--until", "soon"), 2, "'soon' is not a time"),
    ],
)
async def test_what_cannot_be_asked_is_said(
    log: EventLog, tool_sync_db: DatabaseUrls, folder: Path, arguments: tuple[str, ...], status: int, says: str
) -> None:
    await fill(log, 6)
    url = tool_sync_db.service
    code, _, wrong = await command("log", "archive", str(folder), *arguments, database_url=url, COLUMNS="200")
    assert (code, says in wrong, names(folder)) == (status, True, []), wrong


async def test_a_folder_that_is_none_or_has_something_else_is_left_alone(
    log: EventLog, tool_sync_db: DatabaseUrls, folder: Path
) -> None:
    url = tool_sync_db.service
    code, _, wrong = await command("log", "archive", str(folder / "below"), database_url=url)
    assert (code, "No such file or directory" in wrong) == (2, True)
    code, _, wrong = await command("log", "verify-archive", str(folder), database_url="")
    assert (code, "there is no archive in" in wrong) == (2, True)
    with_notes(folder)
    code, _, wrong = await command("log", "archive", str(folder), database_url=url)
    assert (code, "is no archive, and not empty: it has notes.txt" in wrong) == (3, True)
    assert names(folder) == ["notes.txt"]


async def test_a_database_that_is_away_is_said(folder: Path) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:9/nothing"
    code, _, wrong = await command("log", "archive", str(folder), database_url=nowhere)
    assert (code, wrong.startswith("tool-sync: "), names(folder)) == (2, True, [])


async def test_two_at_once_do_not_write_into_each_other(
    log: EventLog, tool_sync_db: DatabaseUrls, archive: Said, folder: Path
) -> None:
    await fill(log, 3)
    with locked(folder):
        code, _, wrong = await command("log", "archive", str(folder), database_url=tool_sync_db.service)
    assert (code, "another process writes the archive" in wrong) == (3, True)
    assert (await archive())[0] == 0


async def test_appends_go_on_while_it_runs_and_no_snapshot_is_held(
    log: EventLog, pool: db.Pool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "PAGE_EVENTS", 2)
    await fill(log, 9)
    seen: list[int] = []
    async with pool.acquire() as connection:

        def between_pages(position: int, _through: int) -> None:
            assert not connection.is_in_transaction()
            seen.append(position)

        await log.append(arrived(uuid4()))
        done = await archive_into(connection, folder, WhatToArchive(), lambda: datetime.now(UTC), between_pages)
    assert (seen, done.through) == ([2, 4, 6, 8, 10], 10)


async def test_without_pyarrow_it_says_what_to_install(
    tool_sync_db: DatabaseUrls, folder: Path, tmp_path: Path
) -> None:
    blocked = tmp_path / "sitecustomize.py"
    blocked.write_text("import sys\nsys.modules['pyarrow'] = None\n")
    for words in (("archive",), ("verify-archive",)):
        code, _, wrong = await command(
            "log", *words, str(folder), database_url=tool_sync_db.service, PYTHONPATH=str(tmp_path)
        )
        assert (code, "install tool-sync with its extra `archive`" in wrong) == (2, True), wrong
