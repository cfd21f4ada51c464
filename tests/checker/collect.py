"""Copies everything that a run left behind into a directory: tables, topics, and what the sandbox heard and holds."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer
from tests.checker.canaries import Canaries
from tests.checker.dump import LEDGER, LOST_LOG, LOST_ROWS, SETTINGS_DEFAULTS, Row, read_lines
from tests.checker.wire import packed

JOURNAL_PAGE: Final = 10_000
FETCH_MILLISECONDS: Final = 50
LEFT_OUT: Final = frozenset(
    {"schema_migrations", "snapshots", "appointments", "tool_calls", "missed_claims", "idempotency_keys"}
)
"""Caches, patients' data, and what no rule asks for."""

EVENTS: Final = """
SELECT position, stream, version, event_id, org_id, type, schema, encode(hash, 'hex') AS hash,
       to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS recorded_at_text,
       data::text AS data_text, meta::text AS meta_text
FROM events ORDER BY position
"""
TABLES: Final = (
    "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the run's traces are; see README.md. `settings` are the fields that are not addresses."""

    assistant_api: str
    tool_sync: str
    kafka: str
    sandbox: str
    settings: Row
    log_files: tuple[Path, ...] = ()
    lost_logs: tuple[str, ...] = ()
    lost_rows: tuple[str, ...] = ()

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """Read the document of README.md; a field that it does not know is an error."""
        addresses = {name: document[name] for name in ("assistant_api", "tool_sync", "kafka", "sandbox")}
        lists = ("log_files", "lost_logs", "lost_rows")
        rest = {name: value for name, value in document.items() if name not in addresses and name not in lists}
        if unknown := rest.keys() - SETTINGS_DEFAULTS.keys():
            raise ValueError(f"unknown fields in the sources: {', '.join(sorted(unknown))}")
        logs = tuple(Path(name) for name in document.get("log_files", ()))
        lost_logs, lost_rows = (tuple(document.get(name, ())) for name in ("lost_logs", "lost_rows"))
        settings = SETTINGS_DEFAULTS | rest
        return cls(**addresses, settings=settings, log_files=logs, lost_logs=lost_logs, lost_rows=lost_rows)


async def collect(folder: Path, sources: Sources) -> None:
    """Fill ``folder``, in which the run has written its ledger already."""
    _make(folder)
    (folder / "settings.json").write_text(json.dumps(sources.settings))
    former = ((LOST_LOG, sources.lost_logs), (LOST_ROWS, sources.lost_rows))
    lost = [(f"{part}{number}", url) for part, urls in former for number, url in enumerate(urls, 1)]
    for part, url in (("tool_sync", sources.tool_sync), ("assistant_api", sources.assistant_api), *lost):
        await _tables(folder, part, url)
    topics = (sources.settings["input_topic"], sources.settings["output_topic"])
    _write(folder / "records.jsonl", await read_records(sources.kafka, topics))
    async with httpx.AsyncClient(base_url=sources.sandbox, timeout=60) as http:
        _write(folder / "journal.jsonl", await read_journal(http))
        state = (await http.get("/__sandbox/state")).raise_for_status()
        (folder / "state.json").write_text(state.text)
    _write(folder / "logs.jsonl", _canaries(folder, sources.log_files))


async def _tables(folder: Path, part: str, url: str) -> None:
    connection = await asyncpg.connect(url, timeout=20)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            for row in await connection.fetch(TABLES):
                name = row["table_name"]
                if name in LEFT_OUT:
                    continue
                query = EVENTS if name == "events" else f'SELECT * FROM "{name}"'  # noqa: S608 - a name from the catalogue
                rows = await connection.fetch(f"SELECT row_to_json(x)::text AS line FROM ({query}) x")  # noqa: S608
                text = "".join(f"{row['line']}\n" for row in rows)
                (folder / f"{part}.{name}.jsonl").write_text(text, encoding="utf-8")
    finally:
        await connection.close()


async def read_records(bootstrap_servers: str, topics: Iterable[str]) -> list[Row]:
    """Everything that is on these topics now, as a dump keeps it."""
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=bootstrap_servers,
        group_id=None,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    found: list[Row] = []
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        if missing := set(topics) - {partition.topic for partition in ends}:
            raise ValueError(f"topics without partitions: {', '.join(sorted(missing))}")
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=FETCH_MILLISECONDS)).values():
                found += [_record(record) for record in records]
    finally:
        await consumer.stop()
    return found


def _record(record: Any) -> Row:
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "at": record.timestamp / 1000,
        "key": packed(record.key),
        "value": packed(record.value),
        "headers": [[name, packed(value)] for name, value in record.headers],
    }


async def read_journal(http: httpx.AsyncClient) -> list[Row]:
    """All that the sandbox has heard."""
    entries: list[Row] = []
    place: int | None = 0
    while place is not None:
        answer = await http.get("/__sandbox/journal", params={"after": place, "limit": JOURNAL_PAGE})
        page = answer.raise_for_status().json()
        entries += page["entries"]
        place = page["next_after"]
    return entries


def _canaries(folder: Path, files: Iterable[Path]) -> list[Row]:
    canaries = Canaries(op["prompt"] for op in read_lines(folder / f"{LEDGER}.jsonl") if op.get("prompt"))
    found: list[Row] = []
    for file in files:
        with file.open(errors="replace") as lines:
            for number, line in enumerate(lines, 1):
                found += [{"file": file.name, "line": number, "canary": prompt} for prompt in canaries.found_in(line)]
    return found


def _make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)


def _write(file: Path, rows: Iterable[Row]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
