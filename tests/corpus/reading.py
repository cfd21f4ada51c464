"""Reads `bookings.md`: tables of what was said, what the model filled in, and what must happen."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args

FILE: Final = Path(__file__).parent / "bookings.md"
COLUMNS: Final = 6

Desk = Literal["yes", "second try", "no"]
Values = dict[str, Any]

_HEADING: Final = re.compile(r"## .* \((.*)\)")
_ROW: Final = re.compile(r"\| (\d+)([a-z]?) \| ")
_KEY: Final = re.compile(r"(\w+): ")
_SECOND: Final = re.compile(r'refused (".*?")(?:; then `(.*)` is booked(.*))?$')


@dataclass(frozen=True, slots=True)
class Booked:
    """What must be in the calendar where it is not what was filled in, and in the words to the model."""

    phone: str | None = None
    """In E.164; `as said` where nothing tells which number it is; None where it is the usual one."""
    start: str | None = None
    name: str | None = None
    service: str | None = None
    notes: str | None = None
    hears: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """Part of what the model hears; and what it fills in then, which must be booked, if anything."""

    hears: str
    again: Values | None = None
    booked: Booked | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One row of a table. ``continues`` the phone call of the row above."""

    number: str
    continues: bool
    clinic: str
    said: str
    filled_in: Values
    then: Booked | Refused
    desk: Desk
    source: str


def cases() -> Iterator[Case]:
    """Every row, in order."""
    clinic = ""
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if heading := _HEADING.fullmatch(line):
            clinic = heading[1]
        elif row := _ROW.match(line):
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            assert len(cells) == COLUMNS, line
            number, said, filled_in, then, desk, source = cells
            assert desk in get_args(Desk), line
            values = values_of(filled_in.strip("`"))
            yield Case(number, bool(row[2]), clinic, said, values, _then(then), cast(Desk, desk), source)


def values_of(text: str) -> Values:
    """`name: "x"; notes: null` as keys and JSON values."""
    values: Values = {}
    while text:
        key = _KEY.match(text)
        assert key, text
        values[key[1]], end = json.JSONDecoder().raw_decode(text, key.end())
        text = text[end:].removeprefix("; ")
    return values


def _then(text: str) -> Booked | Refused:
    if text.startswith("booked"):
        return _booked(text.removeprefix("booked"))
    found = _SECOND.fullmatch(text)
    assert found, text
    hears: str = json.loads(found[1])
    if found[2] is None:
        return Refused(hears)
    return Refused(hears, values_of(found[2]), _booked(found[3]))


def _booked(rest: str) -> Booked:
    fields: dict[str, str] = {}
    for part in filter(None, rest.split("; ")):
        name, _, value = part.partition(" ")
        fields[name] = json.loads(value) if value.startswith('"') else value
    return Booked(**fields)
