"""Types of what a language model fills in: tolerant where nothing can be guessed wrongly, strict where it can (ADR 26).

What is invisible, or has many characters of one meaning (spaces, hyphens, line breaks, marks of direction), is folded.
A day has one form and a time has one: `5/6` is two days, and `2:30` is two times of the day. Errors are of the kinds
of :data:`FaultKind`, or pydantic's own for a wrong type, a length or a pattern; whoever speaks to the model has words.
"""

import datetime as dt
import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, StringConstraints
from pydantic_core import PydanticCustomError

from zerotouch_contracts.text import folded, require_storable

FaultKind = Literal["blank", "wrong_form", "no_such_day", "unreadable"]

_DIRECTIONS: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_LINE_BREAKS: Final = re.compile("\r\n|[\n\r\v\f\x85\u2028\u2029]")
_PLACEHOLDERS: Final = frozenset({"null", "none", "undefined", "unknown", "n/a"})
"""What models and parsers write where there is nothing to write. Nobody gives one of them as a full name."""
_READ_CHARACTERS_MAX: Final = 200
"""Of a day or a time, with all that is invisible in it; folding a longer text costs time and can give none."""
_DAY: Final = re.compile(r"([0-9]{4})\s*-\s*([0-9]{2})\s*-\s*([0-9]{2})")
_TIME: Final = re.compile(r"([0-9]{2})\s*:\s*([0-9]{2})(?:\s*:\s*00)?")


def _fault(kind: FaultKind) -> PydanticCustomError:
    return PydanticCustomError(kind, kind)


def _one_line(value: object) -> object:
    if not isinstance(value, str):
        return value
    return _LINE_BREAKS.sub(" ", _DIRECTIONS.sub("", value)).replace("\t", " ")


def _lines(value: object) -> object:
    return _LINE_BREAKS.sub("\n", _DIRECTIONS.sub("", value)) if isinstance(value, str) else value


def _storable(value: str) -> str:
    try:
        return require_storable(value)
    except ValueError:
        raise _fault("unreadable") from None


def _says_something(value: str) -> str:
    if _is_placeholder(value) or not any(char.isalnum() for char in value):
        raise _fault("blank")
    return value


def _nothing_is_empty(value: str) -> str:
    return "" if _is_placeholder(value) else value


def _is_placeholder(value: str) -> bool:
    return value.casefold().rstrip(".") in _PLACEHOLDERS


def _to_read(value: str) -> str:
    if len(value) > _READ_CHARACTERS_MAX:
        raise _fault("wrong_form")
    plain = folded(value).strip()
    if not plain:
        raise _fault("blank")
    return plain


def _day(value: object) -> object:
    if not isinstance(value, str):
        return value  # a type that pydantic refuses, unless it is a date already
    form = _DAY.fullmatch(_to_read(value))
    if form is None:
        raise _fault("wrong_form")
    try:
        return dt.date(*map(int, form.groups()))
    except ValueError:
        raise _fault("no_such_day") from None


def _time(value: object) -> object:
    if not isinstance(value, str):
        return value
    plain = _to_read(value)
    form = _TIME.fullmatch(plain)
    return ":".join(form.groups()) if form else plain  # the registered pattern refuses it


# A validator that stands behind its constraints and begins with Before runs before them, and the schema still has them.
Words = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=120),
    BeforeValidator(_one_line),
    AfterValidator(_storable),
    AfterValidator(_says_something),
]
"""A line that has a letter or a digit in it, of any script; at most 120 characters, as it was said."""
Phone = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=40),
    BeforeValidator(_one_line),
    AfterValidator(_storable),
]
"""A phone number as it was said: which number that is depends on the clinic's country."""
Notes = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=1000),
    BeforeValidator(_lines),
    AfterValidator(_storable),
    AfterValidator(_nothing_is_empty),
]
"""Lines of text of at most 1,000 characters together."""
Day = Annotated[dt.date, BeforeValidator(_day)]
"""A day of the calendar, `YYYY-MM-DD`."""
Time = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$"), BeforeValidator(_time)]
"""A time of the 24-hour clock, `HH:MM`; full seconds may be there, and are left out."""
