"""Migrations are only added: a file that a database may have applied is never edited.

A new file is added to the list with ``python -m tests.unit.test_migrations``, which refuses where a listed one differs.
"""

from hashlib import sha256
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
LIST: Final = Path(__file__).with_name("migrations.sha256")


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


if __name__ == "__main__":
    if edited := _edited_or_gone():
        raise SystemExit(f"edited or gone: {', '.join(edited)}. Write a new file instead")
    listed = _listed()
    added = {name: digest for name, digest in _present().items() if name not in listed}
    LIST.write_text("".join(f"{digest}  {name}\n" for name, digest in (listed | added).items()))
