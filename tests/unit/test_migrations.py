"""Migrations are only added: a file that a database may have applied is never edited.

A new file is added to the list with ``python -m tests.unit.test_migrations``, which refuses where a listed one differs.
"""

import re
from hashlib import sha256
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
LIST: Final = Path(__file__).with_name("migrations.sha256")
LOCKED_MORE_LATER: Final = {"20261201000180_turns_of_clinics.sql", "20261201000230_bulk_in_turns.sql"}
"""Of before the rule: a save may be told 503 while one of these is applied (docs/runbooks/upgrade.md)."""
_LOCKING: Final = re.compile(
    r"CREATE TABLE (\w+)|CREATE (?:UNIQUE )?INDEX \w+ ON (\w+)|DROP INDEX (\w+)|ALTER TABLE (\w+)"
)


def _listed() -> dict[str, str]:
    return {name: digest for digest, name in (line.split() for line in LIST.read_text().splitlines())}


def _present() -> dict[str, str]:
    files = sorted(ROOT.glob("services/*/src/*/migrations/*.sql"))
    return {file.relative_to(ROOT).as_posix(): sha256(file.read_bytes()).hexdigest() for file in files}


def _edited_or_gone() -> list[str]:
    present = _present()
    return [name for name, digest in _listed().items() if present.get(name) != digest]


def test_no_migration_was_edited_or_removed_since_it_was_listed() -> None:
    assert _edited_or_gone() == [], "databases have applied it as it was: write a new file"


def test_every_migration_is_listed() -> None:
    assert sorted(_present().keys() - _listed().keys()) == [], "run `python -m tests.unit.test_migrations`"


def test_a_new_migration_comes_after_those_that_databases_have() -> None:
    by_folder: dict[str, list[str]] = {}
    for name in _listed():
        folder, _, file = name.rpartition("/")
        by_folder.setdefault(folder, []).append(file)
    for folder, files in by_folder.items():
        assert files == sorted(files), f"{folder}: a file was added before one that is listed"


def _locks_more_later(sql: str) -> bool:
    """Whether a file drops an index of a table, or alters it, after it has made an index on it.

    Each file is one transaction: it lets others read rows for update while it builds, waits for them then, and they for
    it, so that a save under way loses a deadlock. The stronger lock goes first. Tables of the file's own are nobody's.
    """
    indexed, own = set[str](), set[str]()
    for made, on, dropped, altered in _LOCKING.findall(re.sub(r"--.*", "", sql.partition("-- migrate:down")[0])):
        own |= {made} - {""}
        if (dropped and indexed - own) or (altered and altered in indexed - own):
            return True
        indexed |= {on} - {""}
    return False


def test_a_migration_takes_its_strongest_lock_of_a_table_first() -> None:
    files = ROOT.glob("services/*/src/*/migrations/*.sql")
    assert {file.name for file in files if _locks_more_later(file.read_text())} == LOCKED_MORE_LATER


@pytest.mark.parametrize(
    ("sql", "is_found"),
    [
        ("CREATE INDEX a ON t (x); DROP INDEX b;", True),
        ("CREATE UNIQUE INDEX a ON t (x);\nALTER TABLE t ADD y int;", True),
        ("DROP INDEX b; CREATE INDEX a ON t (x);", False),
        ("CREATE TABLE t (x int); CREATE INDEX a ON t (x); ALTER TABLE t ADD y int;", False),
        ("CREATE INDEX a ON t (x); ALTER TABLE u ADD y int;", False),
        ("CREATE INDEX a ON t (x); -- DROP INDEX b", False),
    ],
)
def test_a_lock_that_is_raised_is_found(sql: str, is_found: bool) -> None:
    assert _locks_more_later(sql) == is_found


if __name__ == "__main__":
    if edited := _edited_or_gone():
        raise SystemExit(f"edited or gone: {', '.join(edited)}. Write a new file instead")
    listed = _listed()
    added = {name: digest for name, digest in _present().items() if name not in listed}
    LIST.write_text("".join(f"{digest}  {name}\n" for name, digest in (listed | added).items()))
