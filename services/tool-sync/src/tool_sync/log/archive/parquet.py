"""A segment as a Parquet file: its columns, how it is written, and how its events are read. Needs pyarrow.

Ids are text, as not every reader knows Parquet's UUID. ``data`` and ``meta`` are the JSON text that was hashed.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import pyarrow as pa
from pyarrow import parquet

from tool_sync.log.archive.errors import ArchiveDamaged
from tool_sync.log.archive.folder import on_disk, sync_file
from tool_sync.log.archive.hashes import ArchivedEvent

ROW_GROUP_EVENTS: Final = 100_000
ROW_GROUP_BYTES_MAX: Final = 64 * 2**20
"""Of columns before they are compressed: events may have 64 KiB each, and a row group is held in memory."""
BATCH_EVENTS: Final = 10_000
SCHEMA: Final = pa.schema(
    [
        pa.field("position", pa.int64(), nullable=False),
        pa.field("stream", pa.string(), nullable=False),
        pa.field("version", pa.int32(), nullable=False),
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("org_id", pa.string()),
        pa.field("type", pa.string(), nullable=False),
        pa.field("schema", pa.int16(), nullable=False),
        pa.field("recorded_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("data", pa.string(), nullable=False),
        pa.field("meta", pa.string(), nullable=False),
        pa.field("hash", pa.binary(32), nullable=False),
        pa.field("previous_hash", pa.binary(32)),
    ]
)
_REPEATED: Final = ["stream", "org_id", "type"]
_COMPARED: Final = ["position", "stream", "org_id", "type", "recorded_at"]


class SegmentWriter:
    """Writes events into a new file, a row group at a time; the file is whole and on disk after `finish`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._batches: list[pa.RecordBatch] = []
        with on_disk(path):
            self._file = path.open("wb")
            self._writer = parquet.ParquetWriter(
                self._file, SCHEMA, compression="zstd", use_dictionary=_REPEATED, write_statistics=_COMPARED
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        with suppress(OSError, pa.ArrowException):  # of a disk that is full, once more
            self._writer.close()
        self._file.close()

    def add(self, rows: Sequence[Iterable[object]]) -> None:
        """Rows have the columns of `ArchivedEvent`."""
        columns = zip(*rows, strict=True)
        arrays = [_array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)]
        self._batches.append(pa.RecordBatch.from_arrays(arrays, schema=SCHEMA))
        held = sum(batch.num_rows for batch in self._batches)
        if held >= ROW_GROUP_EVENTS or sum(batch.nbytes for batch in self._batches) >= ROW_GROUP_BYTES_MAX:
            self._flush()

    def finish(self) -> None:
        """Raises `ArchiveUnavailable` where the disk refuses, as `add` does."""
        self._flush()
        with on_disk(self._path):
            self._writer.close()
            self._file.flush()
            sync_file(self._file.fileno())

    def _flush(self) -> None:
        if self._batches:
            table = pa.Table.from_batches(self._batches)
            self._batches.clear()
            with on_disk(self._path):
                self._writer.write_table(table, row_group_size=table.num_rows)


def _array(values: Sequence[object], kind: pa.DataType) -> pa.Array:
    return pa.array(values, pa.int64()).view(kind) if pa.types.is_timestamp(kind) else pa.array(values, kind)


def read_events(path: Path) -> Iterator[list[ArchivedEvent]]:
    """The events of a segment as they stand there, in batches. Raises `ArchiveDamaged` where they cannot be read."""
    try:
        with parquet.ParquetFile(path) as file:
            if not file.schema_arrow.equals(SCHEMA):
                raise ArchiveDamaged("its columns are not those of an archive")
            for group in range(file.num_row_groups):  # a batch may otherwise hold two groups
                for batch in file.iter_batches(BATCH_EVENTS, row_groups=[group], use_threads=False):
                    if not batch.num_rows:
                        continue
                    columns = [_values(batch.column(n), field.type) for n, field in enumerate(SCHEMA)]
                    yield [ArchivedEvent(*row) for row in zip(*columns, strict=True)]
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ArchiveDamaged(f"it cannot be read as Parquet: {str(error).splitlines()[0]}") from error


def _values(column: pa.Array, kind: pa.DataType) -> list[object]:
    values: list[object] = (column.view(pa.int64()) if pa.types.is_timestamp(kind) else column).to_pylist()
    return values
