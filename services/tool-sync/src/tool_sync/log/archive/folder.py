"""The folder of an archive: names, what is there, and how a file becomes part of it.

A file is written under a name that says that it is unfinished, synced, and renamed; then its folder is synced. So a
name without that mark stands for a whole file, whatever was killed or switched off, and is never deleted here.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path
from typing import Final

from tool_sync.log.archive.errors import ArchiveRefused, ArchiveUnavailable
from tool_sync.log.archive.manifest import ArchiveManifest, manifest_of

MANIFEST: Final = "manifest.json"
UNFINISHED: Final = ".unfinished-"
_SEGMENT: Final = re.compile(r"events-(\d{1,19})-(\d{1,19})\.parquet")


def segment_name(first: int, last: int) -> str:
    """Twelve digits, so that names stand in the order of positions up to 10¹² events."""
    return f"events-{first:012}-{last:012}.parquet"


def positions_of(name: str) -> tuple[int, int] | None:
    """The first and last position that a segment's name says; None for another name."""
    match = _SEGMENT.fullmatch(name)
    return None if match is None else (int(match[1]), int(match[2]))


@contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """What the disk refuses is `ArchiveUnavailable`."""
    try:
        yield
    except OSError as error:
        raise ArchiveUnavailable(f"{path}: {error.strerror or error}") from error


def read_manifest(folder: Path) -> ArchiveManifest:
    """Raises `ArchiveUnavailable` where there is no archive, `ArchiveDamaged` where its manifest is none."""
    path = folder / MANIFEST
    if not path.is_file():
        raise ArchiveUnavailable(f"there is no archive in {folder}: it has no {MANIFEST}")
    with on_disk(path):
        return manifest_of(path.read_bytes().decode(errors="replace"), path)


def write_manifest(folder: Path, manifest: ArchiveManifest) -> None:
    """Replace the manifest as one step."""
    unfinished = folder / f"{UNFINISHED}{MANIFEST}"
    with on_disk(folder / MANIFEST):
        with unfinished.open("wb") as file:
            file.write(manifest.model_dump_json(indent=2).encode() + b"\n")
            file.flush()
            sync_file(file.fileno())
        settle(unfinished, folder / MANIFEST)


def sync_file(descriptor: int) -> None:
    """Returns once the disk has it."""
    os.fsync(descriptor)


def settle(unfinished: Path, final: Path) -> None:
    """Give a whole file its name, for good."""
    with on_disk(final):
        os.replace(unfinished, final)
        descriptor = os.open(final.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def names_in(folder: Path) -> list[str]:
    """Everything in it but the manifest."""
    with on_disk(folder):
        return sorted(path.name for path in folder.iterdir() if path.name != MANIFEST)


def remove_unfinished(folder: Path) -> None:
    """What a run that was ended has left."""
    for name in names_in(folder):
        if name.startswith(UNFINISHED):
            with on_disk(folder / name):
                (folder / name).unlink()


def sha256_of(path: Path) -> str:
    """Of the whole file, in hexadecimal."""
    with on_disk(path), path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """The folder, made where it is not there, for this process alone. Raises `ArchiveRefused`."""
    with on_disk(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with on_disk(folder):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ArchiveRefused(f"another process writes the archive in {folder}") from None
        yield
    finally:
        os.close(descriptor)
