"""An archive is of one history: a log that is another one since is named, and never appended to it."""

import shutil
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from devstack.databases import DatabaseUrls
from tool_sync import db
from tool_sync.log import EventLog
from tool_sync.log.archive.errors import ArchiveRefused, ArchiveUnavailable
from tool_sync.log.fork import fork

from ..command import command
from .conftest import Said
from .making import fill, names, with_manifest

pytestmark = pytest.mark.usefixtures("archived")


async def test_a_log_that_was_changed_or_cut_short_since_is_named(
    verify: Said, archive: Said, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await admin.execute("ALTER TABLE events DISABLE TRIGGER USER")
    await admin.execute("UPDATE events SET hash = set_byte(hash, 0, get_byte(hash, 0) # 1) WHERE position = 7")
    code, said = await verify(live=True)
    assert (code, "the live log: position 7: it has another event there" in said) == (1, True), said
    assert "archive: 12 events in 3 files, all as they were written" in said
    await admin.execute("DELETE FROM events WHERE position > 10")
    code, said = await verify(live=True)
    assert (code, "the live log: position 11: it ends at 10: it was restored" in said) == (1, True), said
    with pytest.raises(ArchiveRefused, match=r"ends at position 12, hash .*, and the log ends at 10: it was restored"):
        await archive()


async def test_a_log_that_went_on_otherwise_is_never_appended(
    log: EventLog, archive: Said, admin: "asyncpg.Connection[asyncpg.Record]", folder: Path
) -> None:
    before = names(folder)
    await admin.execute("ALTER TABLE events DISABLE TRIGGER USER; DELETE FROM events WHERE position > 10")
    await fill(log, 5, seed=9)
    with pytest.raises(ArchiveRefused, match="has another event there"):
        await archive()
    assert names(folder) == before


async def test_a_broken_log_is_not_archived_further(
    log: EventLog, archive: Said, verify: Said, admin: "asyncpg.Connection[asyncpg.Record]", folder: Path
) -> None:
    await fill(log, 8, seed=5)
    await admin.execute("ALTER TABLE events DISABLE TRIGGER USER")
    await admin.execute("""UPDATE events SET meta = jsonb_set(meta, '{actor}', '"tesT"') WHERE position = 18""")
    code, said = await archive()
    assert (code, "position 18: its hash does not match" in said) == (1, True), said
    assert "has events 1 to 16" in said
    assert len(names(folder)) == 5
    await admin.execute("DELETE FROM events WHERE position = 18")
    code, said = await archive()
    assert (code, "position 18: there is no event at this position" in said) == (1, True), said
    assert (await verify())[0] == 0


async def test_the_archive_of_a_log_before_its_fork_is_a_former_history(
    archive: Said, verify: Said, log: EventLog, pool: db.Pool, tool_sync_db: DatabaseUrls, folder: Path
) -> None:
    owner = await asyncpg.connect(tool_sync_db.owner)
    log.stop()
    await pool.close()
    await fork(owner)
    await owner.close()
    for asked in (archive(), verify(live=True)):
        with pytest.raises(ArchiveRefused, match=r"of a former history: of the log .* restored and is the log"):
            await asked
    code, _, wrong = await command("log", "archive", str(folder), database_url=tool_sync_db.service)
    assert (code, "keep it as it is, and begin another" in wrong) == (3, True)
    assert (await verify())[0] == 0
    shutil.rmtree(folder)
    assert (await archive())[0] == 0
    assert (await verify(live=True))[0] == 0


@pytest.mark.parametrize("change", ["installation_id", "log_id"])
async def test_an_archive_of_another_installation_or_log_is_refused(
    archive: Said, verify: Said, folder: Path, pool: db.Pool, change: str
) -> None:
    await pool.execute("INSERT INTO installation (installation_id) VALUES ($1)", uuid4())
    with_manifest(lambda manifest: manifest.update({change: str(uuid4())}))(folder)
    for asked in (archive(), verify(live=True)):
        with pytest.raises(ArchiveRefused, match=r"of installation|of another log"):
            await asked


async def test_a_newer_form_is_left_alone(archive: Said, folder: Path) -> None:
    with_manifest(lambda manifest: manifest.update(form=2))(folder)
    with pytest.raises(ArchiveUnavailable, match="a newer one more"):
        await archive()
