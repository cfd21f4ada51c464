"""What is changed in an archive is found by itself, and what cannot be found so by the signed heads or the log."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from devstack.databases import DatabaseUrls
from tool_sync import db
from tool_sync.cli.log_heads import HeadsSource
from tool_sync.log import EventLog
from tool_sync.log.archive.errors import ArchiveDamaged
from tool_sync.log.archive.hashes import ArchivedEvent, micros_of, position_hash
from tool_sync.outcomes.heads.keys import SigningKey, VerifyKeys

from ..command import command
from ..heads.signing import new_pems, sign_now
from .conftest import Said
from .making import changed, fill, manifest_follows, names, segments, with_manifest

Rows = list[dict[str, Any]]
pytestmark = pytest.mark.usefixtures("archived")


def cell(name: str, change: Callable[[Any], Any]) -> Callable[[Rows], None]:
    def changing(rows: Rows) -> None:
        before, rows[1][name] = rows[1][name], change(rows[1][name])
        assert rows[1][name] != before

    return changing


def flipped(text: str) -> str:
    """With another last letter before the bracket or digit at its end."""
    return text[:-2] + ("0" if text[-2] != "0" else "1") + text[-1]


def swap(rows: Rows) -> None:
    rows[1], rows[2] = rows[2], rows[1]


def drop(rows: Rows) -> None:
    del rows[1]


CHANGES: dict[str, Callable[[Rows], None]] = {
    "data": cell("data", flipped),
    "data, as the same JSON": cell("data", lambda text: text.replace(": ", ":", 1)),
    "meta": cell("meta", lambda text: text.replace("test", "tesT")),
    "time, later": cell("recorded_at", lambda at: at + timedelta(microseconds=1)),
    "time, earlier": cell("recorded_at", lambda at: at - timedelta(days=1)),
    "type": cell("type", str.lower),
    "schema": cell("schema", lambda schema: schema + 1),
    "stream": cell("stream", flipped),
    "version": cell("version", lambda version: version + 1),
    "event_id": cell("event_id", flipped),
    "event_id, in capitals": cell("event_id", lambda text: text.replace("-", "", 1) + "-"),
    "hash": cell("hash", lambda value: bytes([value[0] ^ 1]) + value[1:]),
    "previous_hash": cell("previous_hash", lambda _: bytes(32)),
    "org_id": cell("org_id", lambda text: str(UUID(int=0)) if text is None else None),
    "org_id, another": cell("org_id", lambda _: str(uuid4())),
    "position": cell("position", lambda position: position + 100),
    "two rows in each other's place": swap,
    "a row less": drop,
    "a row twice": lambda rows: rows.insert(1, rows[1]),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_a_changed_file_is_named_and_its_event_even_if_the_manifest_follows(
    verify: Said, folder: Path, change: Callable[[Rows], None]
) -> None:
    path = segments(folder)[1]
    changed(path, change)
    code, said = await verify()
    assert (code, f"{path.name}: position 5: it" in said) == (1, True), said
    manifest_follows(path)
    code, said = await verify()
    assert code == 1
    assert any(f"{path.name}: position {at}: " in said for at in (6, 7)), said
    assert "its bytes are not" not in said


def remove(folder: Path) -> None:
    segments(folder)[1].unlink()


def rename(folder: Path) -> None:
    segments(folder)[1].rename(folder / "events-000000000005-000000000009.parquet")


def cut_short(folder: Path) -> None:
    segments(folder)[1].write_bytes(segments(folder)[1].read_bytes()[:-100])


def emptied(folder: Path) -> None:
    segments(folder)[1].write_bytes(b"")


def one_byte(folder: Path) -> None:
    content = bytearray(segments(folder)[1].read_bytes())
    content[len(content) // 3] ^= 1
    segments(folder)[1].write_bytes(content)


def added(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")


def swapped(manifest: dict[str, Any]) -> None:
    manifest["segments"].insert(0, manifest["segments"].pop())


def outside(manifest: dict[str, Any]) -> None:
    manifest["segments"][1]["file"] = "../archive/" + manifest["segments"][1]["file"]


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a file is missing": (remove, "000008.parquet: position 5: it is missing"),
    "a file has another name": (rename, "000009.parquet: it is not in the manifest"),
    "a file was cut short": (cut_short, "and the manifest says"),
    "a file is empty": (emptied, "it cannot be read as Parquet"),
    "one byte": (one_byte, "another SHA-256"),
    "a file too much": (added, "notes.txt: it is not in the manifest"),
    "the newest file is not named": (
        with_manifest(lambda manifest: manifest["segments"].pop()),
        "000012.parquet: it is not in the manifest",
    ),
    "a gap": (with_manifest(lambda manifest: manifest["segments"].pop(1)), "position 5: there is no event from here"),
    "another order": (with_manifest(swapped), "there is no event from here up to position 8"),
    "an overlap": (
        with_manifest(lambda manifest: manifest["segments"].append(manifest["segments"][1])),
        "it does not stand behind the event before it",
    ),
    "another origin": (
        with_manifest(lambda manifest: manifest.update(form_2_origin="0" * 64)),
        "position 1: its hash does not match",
    ),
    "another beginning of the form": (
        with_manifest(lambda manifest: manifest.update(form_2_from=6)), "position 1: its hash does not match"
    ),
    "another number": (
        with_manifest(lambda manifest: manifest["segments"][1].update(events=3)), "another number of events"
    ),
    "another first hash": (
        with_manifest(lambda manifest: manifest["segments"][1].update(first_hash="0" * 64)),
        "its events are not those that the manifest says",
    ),
    "a file elsewhere": (with_manifest(outside), "its name is not that of its positions"),
}  # fmt: skip


@pytest.mark.parametrize(("damage", "says"), DAMAGES.values(), ids=DAMAGES)
async def test_damage_is_named(verify: Said, folder: Path, damage: Callable[[Path], None], says: str) -> None:
    damage(folder)
    code, said = await verify()
    assert (code, says in said) == (1, True), said
    assert "NOT as they were written" in said


@pytest.mark.parametrize(
    ("content", "status", "says"),
    [
        ("{}", 1, "manifest.json is not valid"),
        ("", 1, "manifest.json is not valid"),
        ("\udcff", 1, "manifest.json is not valid"),
        ('{"form": 1, "log_id": "x"}', 1, "manifest.json is not valid"),
        ('{"form": 2}', 2, "this release reads form 1, a newer one more"),
    ],
)
async def test_a_manifest_that_is_none_is_said(
    tool_sync_db: DatabaseUrls, folder: Path, content: str, status: int, says: str
) -> None:
    (folder / "manifest.json").write_bytes(content.encode(errors="surrogateescape"))
    for words, url in ((("archive",), tool_sync_db.service), (("verify-archive",), "")):
        code, _, wrong = await command("log", *words, str(folder), database_url=url)
        assert (code, says in wrong, "Traceback" in wrong) == (status, True, False), wrong
    assert len(names(folder)) == 4


async def test_a_manifest_with_more_in_it_is_none(verify: Said, folder: Path) -> None:
    with_manifest(lambda manifest: manifest.update(more=1))(folder)
    with pytest.raises(ArchiveDamaged, match="more: Extra inputs are not permitted"):
        await verify()


def rewritten_end(rows: Rows) -> None:
    """The newest event with other data, and the hash that follows from it."""
    before, last = rows[-2:]
    last["data"] = flipped(last["data"])
    told = {name: last[name] for name in ArchivedEvent._fields if name != "recorded_micros"}
    last["hash"] = position_hash(before["hash"], ArchivedEvent(recorded_micros=micros_of(last["recorded_at"]), **told))


async def test_an_end_that_was_written_anew_with_its_hash_is_found_by_a_head_and_by_the_log(
    verify: Said, folder: Path, pool: db.Pool, tmp_path: Path
) -> None:
    private, public = new_pems()
    head = await sign_now(pool, SigningKey(private))
    kept = tmp_path / "heads.jsonl"
    kept.write_text(head.model_dump_json())
    source = HeadsSource(None, None, kept, VerifyKeys.of_pem(public))
    code, said = await verify(source)
    assert (code, "proved: events 1 to 12 are as signed" in said) == (0, True), said
    newest = segments(folder)[-1]
    changed(newest, rewritten_end)
    manifest_follows(newest)
    code, said = await verify()
    assert (code, "not looked at: an archive that was written anew as a whole" in said) == (0, True), said
    code, said = await verify(source)
    assert (code, "events 1 to 12 are not those that were signed" in said, "proved: NOTHING" in said) == (1, True, True)
    code, said = await verify(live=True)
    assert (code, "the live log: position 12: it has another event there" in said) == (1, True), said


async def test_heads_say_nothing_of_what_came_after_the_archive_and_one_stranger_proves_nothing(
    log: EventLog, verify: Said, pool: db.Pool, tmp_path: Path
) -> None:
    private, public = new_pems()
    await fill(log, 2, seed=4)
    kept = tmp_path / "heads.jsonl"
    kept.write_text((await sign_now(pool, SigningKey(private))).model_dump_json())
    code, said = await verify(HeadsSource(None, None, kept, VerifyKeys.of_pem(public)))
    assert (code, "proved: NOTHING; no head is of this log" in said) == (1, True), said
    assert "12 newer events are not covered" in said


async def test_the_command_asks_heads_that_were_kept_aside(folder: Path, pool: db.Pool, tmp_path: Path) -> None:
    private, public = new_pems()
    kept, keys = tmp_path / "heads.jsonl", tmp_path / "keys.pem"
    kept.write_text((await sign_now(pool, SigningKey(private))).model_dump_json())
    keys.write_text(public)
    told = ("--heads-file", str(kept), "--keys", str(keys))
    code, said, wrong = await command("log", "verify-archive", str(folder), *told, database_url="")
    assert (code, "proved: events 1 to 12" in said) == (0, True), said + wrong
    code, _, wrong = await command("log", "verify-archive", str(folder), "--heads", database_url="")
    assert (code, "--heads needs --kafka" in wrong) == (2, True)
