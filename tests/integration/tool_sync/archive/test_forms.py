"""Events of the older form of hashes, which have a chain for each stream, are archived and proved as well."""

from pathlib import Path

import pytest

from devstack.databases import DatabaseUrls
from tool_sync.log import EventLog
from tool_sync.log.archive import hashes
from tool_sync.migrate import migrate

from ..event_log.test_hash_forms import before as before
from ..event_log.test_hash_forms import log as log
from .conftest import Said
from .making import changed, fill, manifest_follows, segments


@pytest.fixture
def tool_sync_db(before: DatabaseUrls) -> DatabaseUrls:
    """The database that begins with the older form."""
    return before


@pytest.mark.parametrize("segment_events", [2, 5, 100])
async def test_both_forms_are_proved(
    log: EventLog, before: DatabaseUrls, archive: Said, verify: Said, segment_events: int
) -> None:
    await fill(log, 7)
    await migrate(before.owner)
    await fill(log, 5, seed=1)
    assert (await archive(6, segment_events))[0] == 0
    code, said = await verify(live=True)
    assert (code, "not looked at: the order of the events: all have the older form" in said) == (0, True), said
    assert (await archive(None, segment_events))[0] == 0
    code, said = await verify(live=True)
    assert (code, "the older form" in said) == (0, False), said


@pytest.mark.parametrize("name", ["data", "previous_hash", "both"])
async def test_an_older_event_that_was_changed_is_found_even_with_a_new_hash(
    log: EventLog, before: DatabaseUrls, archive: Said, verify: Said, folder: Path, name: str
) -> None:
    await fill(log, 7)
    await migrate(before.owner)
    await archive()

    def change(rows: list[dict[str, object]]) -> None:
        row = rows[1]
        if name != "data":
            row["previous_hash"] = bytes(32)
        if name != "previous_hash":
            row["data"] = str(row["data"]).replace(": ", ":", 1)
        if name == "both":
            row["version"] = 2
            told = {field: row[field] for field in hashes.ArchivedEvent._fields if field != "recorded_micros"}
            event = hashes.ArchivedEvent(recorded_micros=hashes.micros_of(row["recorded_at"]), **told)  # type: ignore[arg-type]
            row["hash"] = hashes.event_hash(bytes(32), event)

    changed(segments(folder)[0], change)
    manifest_follows(segments(folder)[0])
    code, said = await verify()
    expected = "position 7: up to here the hashes have the older form" if name == "both" else "position 2: "
    assert (code, expected in said) == (1, True), said


async def test_the_digest_has_pages_like_the_migrations(
    log: EventLog, before: DatabaseUrls, archive: Said, verify: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(log, 7)
    await migrate(before.owner)
    await archive()
    monkeypatch.setattr(hashes, "OLDER_PAGE_POSITIONS", 3)  # of another digest, so the origin is missed
    code, said = await verify()
    assert (code, "position 7: up to here the hashes have the older form" in said) == (1, True), said
