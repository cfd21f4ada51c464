"""What commands print: one JSON envelope, and text that is folded and never cut (``zerotouch_platform/lines.py``).

Nothing else of ``cli`` prints by itself; ruff sees to that.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from zerotouch_contracts.errors import entry_of
from zerotouch_platform.lines import print_error as print_error
from zerotouch_platform.lines import print_line as print_line
from zerotouch_platform.lines import print_lines as print_lines
from zerotouch_platform.lines import print_whole as print_whole
from zerotouch_platform.text import printable as printable
from zerotouch_platform.times import utc as utc

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from tool_sync.queries.can_book import Standing


def print_json(command: str, result: object, *, complete: bool = True, not_looked_at: Iterable[str] = ()) -> None:
    """``complete``: nothing that was asked for is missing from ``result``. ``not_looked_at``: what it does not show."""
    from pydantic_core import to_json  # help and text need not wait for it

    document = {
        "command": command,
        "at": datetime.now(UTC),
        "complete": complete,
        "not_looked_at": list(not_looked_at),
        "result": result,
    }
    print_whole(to_json(document, indent=2).decode())


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


def with_more(value: "DataclassInstance", **more: object) -> dict[str, object]:
    """The fields of a value, and further ones, as one object of JSON."""
    return {field.name: getattr(value, field.name) for field in fields(value)} | more


def entry(heading: str, fields: Sequence[tuple[str, Any]]) -> Iterator[str]:
    """One item of a list: a heading, and its fields that have a value below it. An id stands whole on its line."""
    yield heading
    for name, value in fields:
        if value not in (None, ""):
            yield f"  {name}: {value}"


def called(thing: UUID | str, name: str | None) -> str:
    """A clinic or an assistant by its name, where it has one, and its id."""
    if name in (None, str(thing)):
        return str(thing)
    return f"{printable(name or '')} ({thing})"


def standing_lines(one: "Standing", name: str) -> Iterator[str]:
    """The one sentence of an assistant, as the console shows it, what to do, and what happens next."""
    fields: list[tuple[str, str]] = []
    if (known := entry_of(one.code)) is not None:
        fields.append(("code", f"{known.code} {known.title}"))
        if known.who_acts != "nobody":
            fields.append(("what to do", f"{known.who_acts}: {known.what_to_do}"))
    if not one.who_acts:
        fields.append(("next", one.next))
    yield from entry(f"{called(one.agent_id, name)} {one.sentence}", fields)


def say_not_looked_at(limits: Iterable[str]) -> None:
    """One sentence each: an all-clear is worth as much as these."""
    print_lines(f"not looked at: {limit}" for limit in limits)
