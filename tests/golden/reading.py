"""Stored events of every type and schema that was ever written, and whole logs, as files that are never edited.

events/<Type>.v<schema>[.<variant>].json   a stored document; a variant is another one of the same type, such as a row
                                           from before a field was added
logs/<name>.jsonl                          the table ``events`` of a life, row by row
checksums.txt                              one line a file, in the order in which they were added; it only grows
results/*.json                             what today's release makes of them; these may change, on purpose
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CHECKSUMS = HERE / "checksums.txt"
WRITE = "GOLDEN_RESULTS"
"""``GOLDEN_RESULTS=write`` writes the results anew. The test then still fails: look at the difference, run it again."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Golden:
    """A stored event: its file's name, its type, its schema and its document."""

    name: str
    type_name: str
    schema: int
    data: Row

    @property
    def text(self) -> str:
        """The document as the log returns it."""
        return json.dumps(self.data)


def listed() -> list[tuple[str, str]]:
    """(checksum, path) of every file, in the order in which they were added."""
    pairs = (line.split("  ", 1) for line in CHECKSUMS.read_text().splitlines())
    return [(checksum, path) for checksum, path in pairs]


def present() -> dict[str, str]:
    """The checksum of every golden file that is there, by path."""
    files = (path for folder in ("events", "logs") for path in (HERE / folder).iterdir())
    return {str(path.relative_to(HERE)): sha256(path.read_bytes()).hexdigest() for path in files}


def goldens() -> Iterator[Golden]:
    """Every stored event, in the order in which they were added."""
    for _, path in listed():
        folder, _, name = path.partition("/")
        if folder == "events":
            type_name, schema, *_ = name.split(".")
            yield Golden(name, type_name, int(schema.removeprefix("v")), json.loads((HERE / path).read_text()))


def log_of(name: str) -> list[Row]:
    """The rows of a whole log."""
    return [json.loads(line) for line in (HERE / "logs" / f"{name}.jsonl").read_text().splitlines()]


def assert_result(name: str, made: Any) -> None:
    """What was made is what the result file says; see :data:`WRITE`."""
    path = HERE / "results" / f"{name}.json"
    if os.environ.get(WRITE) == "write":
        path.write_text(json.dumps(made, indent=1, sort_keys=True) + "\n")
        raise AssertionError(f"{path.name} was written anew; look at the difference, and run the test without {WRITE}")
    assert made == json.loads(path.read_text())
