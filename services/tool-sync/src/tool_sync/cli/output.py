"""What commands print: one JSON envelope, and text that is folded and never cut."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from textwrap import wrap
from typing import Any, Final

from pydantic_core import to_json
from rich.console import Console

from tool_sync.cli.options import COLUMNS_IN_FILES

COLUMNS: Final = 80


def print_json(command: str, result: object, *, complete: bool = True, not_looked_at: Iterable[str] = ()) -> None:
    """``complete``: nothing that was asked for is missing from ``result``. ``not_looked_at``: what it does not show."""
    document = {
        "command": command,
        "at": datetime.now(UTC),
        "complete": complete,
        "not_looked_at": list(not_looked_at),
        "result": result,
    }
    print(to_json(document, indent=2).decode())


def show(
    command: str,
    result: object,
    lines: Iterable[str],
    *,
    as_json: bool,
    complete: bool = True,
    not_looked_at: Iterable[str] = (),
) -> None:
    """The result for a script, or its lines for people: only what is asked for is made."""
    if as_json:
        print_json(command, result, complete=complete, not_looked_at=not_looked_at)
    else:
        print_lines(lines)


def print_lines(lines: Iterable[str]) -> None:
    """Folded where a line is longer than the terminal is wide; in a file it stays below 120 columns."""
    out = Console(width=None if sys.stdout.isatty() else COLUMNS_IN_FILES, highlight=False, emoji=False)
    for line in lines:
        out.print(line, markup=False)


def entry(heading: str, fields: Sequence[tuple[str, Any]]) -> Iterator[str]:
    """One item of a list: a heading, and its fields that have a value below it. An id stands whole on its line."""
    yield heading
    for name, value in fields:
        if value not in (None, ""):
            yield f"  {name}: {value}"


def say_not_looked_at(limits: Iterable[str]) -> None:
    """One sentence each: an all-clear is worth as much as these."""
    for limit in limits:
        print("\n".join(wrap(f"not looked at: {limit}", COLUMNS, subsequent_indent="  ")))


def utc(at: datetime | None) -> str:
    """A time to the second, or nothing."""
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def error(message: object) -> None:
    """One line on stderr."""
    print(f"tool-sync: {message}", file=sys.stderr)
