"""Rows as JSON has them: columns in camelCase, ids and times as text."""

from datetime import datetime
from functools import cache
from typing import Any, Final
from uuid import UUID

import asyncpg
from pydantic.alias_generators import to_camel

_name: Final = cache(to_camel)


def as_json(row: asyncpg.Record) -> dict[str, Any]:
    """All columns of a row, in their order."""
    return {_name(column): _plain(value) for column, value in row.items()}


def time_text(time: datetime) -> str:
    """A time in UTC, to the millisecond."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return time_text(value)
    return str(value) if isinstance(value, UUID) else value
