"""JSON as JavaScript reads and writes it, because a service in JavaScript stores what our clients send.

Nothing that JavaScript accepts is refused, and a document that is read and written again keeps its bytes:

- half of a surrogate pair is a character and is written as an escape, every other character above U+001F as itself;
- `250.0` is 250, `1e21` is 1e+21, a number that is too large for a double is null;
- bytes that are no UTF-8 become U+FFFD.

Our choice: a whole number beyond 2^53 stays as it was sent, where JavaScript rounds it. A client that carries it
through a double would change it, and that must show. For the same reason fields stay in the order in which they came,
where JavaScript moves names that are whole numbers to the front.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import Any, NoReturn

# JavaScript writes whole numbers below this with all their digits.
_DIGITS_BELOW = 1e21
# A double has at most 309 digits before the point; more is infinite. Python refuses to read 4,300 of them.
_DOUBLE_DIGITS_MAX = 309
# Our choice: JavaScript reads deeper documents, but our reader and writer recurse, each with a limit of its own.
DEPTH_MAX = 500
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')
# A string, or a number in the form in which only Python writes it: 1e-05 is 0.00001 there, and 1e-07 is 1e-7.
_STRING_OR_SMALL = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d(?:\.\d+)?e-0\d')


def from_json(text: bytes | str) -> Any:
    """Read one JSON value; raises `ValueError` where it is none, or is nested more than `DEPTH_MAX` levels deep."""
    read = text if isinstance(text, str) else text.decode("utf-8-sig", "replace")
    if read.count("[") + read.count("{") > DEPTH_MAX and _depth(read) > DEPTH_MAX:
        raise ValueError(f"more than {DEPTH_MAX} levels")
    return json.loads(read, parse_float=_number, parse_int=_whole, parse_constant=_no_number)


def to_json(value: object) -> bytes:
    """Write compact JSON as UTF-8."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if "e-0" in text:
        text = _STRING_OR_SMALL.sub(_small, text)
    # What UTF-8 cannot hold are halves of surrogate pairs; they become the escapes that JavaScript writes.
    return text.encode(errors="backslashreplace")


def _depth(text: str) -> int:
    depth = deepest = 0
    for found in _STRING_OR_BRACKET.finditer(text):
        bracket = found.group()
        depth += (bracket in "[{") - (bracket in "]}")
        deepest = max(deepest, depth)
    return deepest


def _small(found: re.Match[str]) -> str:
    written = found.group()
    if written.startswith('"'):
        return written
    mantissa, _, exponent = written.partition("e-0")
    if int(exponent) > 6:
        return f"{mantissa}e-{exponent}"
    sign, digits = ("-", mantissa[1:]) if mantissa.startswith("-") else ("", mantissa)
    return f"{sign}0.{'0' * (int(exponent) - 1)}{digits.replace('.', '')}"


def _number(text: str) -> int | float | None:
    number = float(text)
    if not math.isfinite(number):
        return None
    if not number.is_integer() or abs(number) >= _DIGITS_BELOW:
        return number
    # The shortest digits that read as this double, and zeros: not all the digits that it has.
    return int(Decimal(repr(number)))


def _whole(text: str) -> int | float | None:
    return int(text) if len(text) <= _DOUBLE_DIGITS_MAX else _number(text)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")
