"""What a run left behind, as a directory of JSON lines; see README.md for its files and fields."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

Row = dict[str, Any]

LEDGER = "ledger"
LOST_LOG = "lost-"
"""Before the number of a tool-sync database that a restore has put another one in place of."""
LOST_ROWS = "former-"
"""Likewise, of assistant-api."""
GONE = "gone"
DELETED, MADE_AGAIN = "deleted", "topic made again"
"""How a record went that the run took off its topic: the field `gone` of its line."""
PARTS = ("records", "journal", "logs")
SETTINGS_DEFAULTS: Row = {
    "requests_per_minute": None,
    "amplification_max": None,
    "at_rest": True,
    "service_keys": None,
    "input_topic": "assistants.v1",
    "output_topic": "tool-sync.outcomes.v1",
}


@dataclass(slots=True)
class Dump:
    """One run. Mutable on purpose: the self-test corrupts copies. `tables` has keys like `tool_sync.events`."""

    ledger: list[Row]
    settings: Row
    records: list[Row]
    tables: dict[str, list[Row]]
    journal: list[Row]
    state: Row
    logs: list[Row] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a directory that :func:`~tests.checker.collect.collect` has filled."""
        parts = {name: read_lines(folder / f"{name}.jsonl") for name in PARTS}
        return cls(
            ledger=read_lines(folder / f"{LEDGER}.jsonl"),
            settings=SETTINGS_DEFAULTS | json.loads((folder / "settings.json").read_text()),
            records=read_lines(folder / f"{GONE}.jsonl") + parts["records"],
            tables={file.name.removesuffix(".jsonl"): read_lines(file) for file in folder.glob("*.*.jsonl")},
            journal=parts["journal"],
            state=json.loads((folder / "state.json").read_text()),
            logs=parts["logs"],
        )

    def table(self, name: str) -> list[Row]:
        """The rows of a table; none where the release has no such table."""
        return self.tables.get(name, [])


def read_lines(file: Path) -> list[Row]:
    """The objects of a file of JSON lines; a last line that a killed writer left unfinished is not read."""
    if not file.exists():
        return []
    text = file.read_text(encoding="utf-8", errors="surrogatepass")
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].split("\n") if line]
