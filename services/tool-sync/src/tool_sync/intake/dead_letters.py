"""The table ``dead_letters``: records that could not be taken in, as raw bytes, one row each. Platform role only."""

import base64
from collections.abc import Iterable, Sequence

from tool_sync.db import Pool
from tool_sync.intake.mapping import Poison

_INSERT = """
INSERT INTO dead_letters (topic, partition, "offset", key, headers, value, reason, org_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (topic, partition, "offset", md5(value)) DO NOTHING
"""

Header = list[str | dict[str, str] | None]


async def set_aside(pool: Pool, poison: Sequence[Poison]) -> None:
    """Store the records; one that is there already is left as it is."""
    rows = [
        (
            letter.record.topic,
            letter.record.partition,
            letter.record.offset,
            letter.record.key,
            [_header(name, value) for name, value in letter.record.headers],
            letter.record.value,
            letter.reason,
            letter.org_id,
        )
        for letter in poison
    ]
    await pool.executemany(_INSERT, rows)


def _header(name: str, value: bytes | None) -> Header:
    """``[name, text]``, ``[name, null]`` or ``[name, {"base64": …}]``: jsonb holds neither bytes nor U+0000."""
    return [name.replace("\x00", "\ufffd"), None if value is None else _text_or_base64(value)]


def _text_or_base64(value: bytes) -> str | dict[str, str]:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        text = "\x00"
    return {"base64": base64.b64encode(value).decode()} if "\x00" in text else text


def describe(poison: Iterable[Poison]) -> list[str]:
    """``topic/partition/offset: reason`` of each, for the log."""
    return [f"{p.record.topic}/{p.record.partition}/{p.record.offset}: {p.reason}" for p in poison]
