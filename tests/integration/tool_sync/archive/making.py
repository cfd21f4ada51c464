"""Events for an archive: of clinics and of none, of all that JSON can hold; and files changed behind its back."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import orjson
import pyarrow as pa
from pyarrow import parquet

from tool_sync.domain.events import BlueprintPublished
from tool_sync.log import AppendRequest, EventLog, NewEvent, tool_stream

from ..event_log.making import META, arrived, done, save

HOSTILE = (
    '\u2028 é 😀 " \\ \n\t\x7f',
    "١٢٣ \u202e",
    "x" * 5_000,
    "",
    "NaN",
    "\ufffe\U0010ffff",
    "'; DROP TABLE events; --",
)
NUMBERS = (0, -0.0, 10**60, -(2**63), 1e300, 5e-324, 0.1, 1.0)


def published(name: str, version: int, document: dict[str, Any], event_id: UUID) -> AppendRequest:
    """An event of no clinic."""
    event = BlueprintPublished(name, version, "basic", True, "f" * 64, document)
    return AppendRequest(tool_stream(name), None, None, (NewEvent(event_id, event),), META)


async def fill(log: EventLog, count: int, seed: int = 0) -> None:
    """``count`` appends of one event each, the same for a seed."""
    random = Random(seed)

    def some_id() -> UUID:
        return UUID(int=random.getrandbits(128))

    clinics = [some_id() for _ in range(3)]
    for n in range(count):
        clinic, event_id = random.choice(clinics), some_id()
        document = {random.choice(HOSTILE): random.choice(HOSTILE), "n": list(random.sample(NUMBERS, 3))}
        await log.append(
            random.choice(
                [
                    arrived(clinic, save(revision=n + 1), ids=(event_id,)),
                    done(clinic, ids=(event_id,)),
                    published(random.choice(["book", "cancel"]), n + 1, document, event_id),
                ]
            )
        )


def segments(folder: Path) -> list[Path]:
    """The files of the archive in their order."""
    return sorted(folder.glob("events-*.parquet"))


def names(folder: Path) -> list[str]:
    """What is in a folder; nothing where there is none."""
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def stamps(folder: Path) -> dict[str, int]:
    """When each file of it was written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def with_notes(folder: Path) -> None:
    """A folder that is somebody's."""
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")


def rights(path: Path) -> int:
    """Who may do what with it."""
    return path.stat().st_mode & 0o777


def changed(path: Path, change: Callable[[list[dict[str, Any]]], None]) -> None:
    """Write a segment anew, with rows that were changed."""
    table = parquet.read_table(path)
    rows = table.to_pylist()
    change(rows)
    parquet.write_table(pa.Table.from_pylist(rows, schema=table.schema), path, compression="zstd")


def with_manifest(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    """Write the manifest anew, changed."""

    def changing(folder: Path) -> None:
        manifest = orjson.loads((folder / "manifest.json").read_bytes())
        change(manifest)
        (folder / "manifest.json").write_bytes(orjson.dumps(manifest))

    return changing


def manifest_follows(path: Path) -> None:
    """The manifest says what the file is like now, as who covers up a change would write it."""
    manifest_path = path.parent / "manifest.json"
    manifest = orjson.loads(manifest_path.read_bytes())
    (entry,) = (one for one in manifest["segments"] if one["file"] == path.name)
    rows = parquet.read_table(path).to_pylist()
    entry |= {
        "bytes": path.stat().st_size,
        "sha256": sha256(path.read_bytes()).hexdigest(),
        "events": len(rows),
        "first_hash": rows[0]["hash"].hex(),
        "last_hash": rows[-1]["hash"].hex(),
    }
    manifest_path.write_bytes(orjson.dumps(manifest))
