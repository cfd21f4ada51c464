r"""One reading and one writing of Vapi's JSON, for both services: what was read goes out with the same content.

Vapi is written in JavaScript and stores what JavaScript allows: half an emoji (``slice`` cuts between the halves of a
surrogate pair), U+0000, a key twice. Each of them is somebody's prompt and must not stop anything.

    bytes ──read──► dict, list, str, int, float, Number ──write──► ASCII bytes

Text is escaped on the way out (``\ud83d``), as UTF-8 cannot carry a lone surrogate. A number whose spelling Python
would change (``1e21``, ``1.10``, ``-0``, ``1E400``) is a :class:`Number`, which goes out as it came in.
"""

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Self

from zerotouch_platform.strict_json import has_more_values

Json = dict[str, Any]

DEPTH_MAX: Final = 200
"""Levels of nesting. A document of Vapi's has about 15; every step over it recurses, here and in the hashes."""
VALUES_MAX: Final = 10_000
"""Of one document, also in a list. Vapi's have hundreds; a million of them, in 4 MB, would hold everybody up for a
second, and numbers like 1e300 are dear to hash one by one."""
BYTES_AT_ONCE: Final = 512 * 1024
"""What is longer is read beside the loop."""
LIST_VALUES_AT_ONCE: Final = 100_000
"""Of a list, which is read at once; where it has more, the values of each of its items are counted before it is."""


class Unreadable(ValueError):
    """Bytes that are no JSON of at most ``DEPTH_MAX`` levels and ``VALUES_MAX`` values."""


@dataclass(frozen=True, slots=True)
class UnreadableItem:
    """An item of a list that could not be read; ``text`` is its JSON as it came."""

    text: str


class Number(float):
    """A number whose ``spelling`` Python would not repeat. Beyond the range of a float it counts as infinite."""

    __slots__ = ("spelling",)
    spelling: str

    def __new__(cls, spelling: str) -> Self:
        number = super().__new__(cls, spelling)
        number.spelling = spelling
        return number

    def __reduce__(self) -> tuple[type["Number"], tuple[str]]:
        return Number, (self.spelling,)


def _float(spelling: str) -> float:
    value = float(spelling)
    return value if repr(value) == spelling else Number(spelling)


def _int(spelling: str) -> int | float:
    # Python reads and writes an integer in the square of its length, of more than 4,300 digits not at all, and knows no
    # integer -0.
    return Number(spelling) if spelling == "-0" or len(spelling) > _DIGITS_MAX else int(spelling)


def _constant(_: str) -> None:
    """``NaN`` and ``Infinity`` are no JSON; JavaScript itself writes null for them."""


_DIGITS_MAX: Final = 40
_decoder: Final = json.JSONDecoder(parse_float=_float, parse_int=_int, parse_constant=_constant, strict=False)
_encode: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False).encode


def read(raw: bytes) -> Any:
    """The JSON value of ``raw``; of a key that stands twice the last one counts. Raises :class:`Unreadable`."""
    if has_more_values(raw, VALUES_MAX):
        raise Unreadable(f"more than {VALUES_MAX} values")
    return _parse(_text(raw))


def read_list(raw: bytes) -> list[object]:
    """The items of a JSON array; one that cannot be read is an :class:`UnreadableItem` and spoils none of the others.

    Raises :class:`Unreadable` where ``raw`` is no array.
    """
    text = _text(raw)
    try:
        if not has_more_values(raw, LIST_VALUES_AT_ONCE):
            return list(_items(text))
    except (ValueError, RecursionError):  # one of them, or all
        pass
    return [_item(part) for part in _parts(text)]


async def read_aside(raw: bytes) -> Any:
    """As :func:`read`; everybody else is served while a long one is read, in a thread."""
    return read(raw) if len(raw) <= BYTES_AT_ONCE else await asyncio.to_thread(read, raw)


async def read_list_aside(raw: bytes) -> list[object]:
    """As :func:`read_list`; everybody else is served while a long one is read, item by item, in a thread."""
    return read_list(raw) if len(raw) <= BYTES_AT_ONCE else await asyncio.to_thread(read_list, raw)


def write(value: object) -> bytes:
    """The value as compact JSON in ASCII. Raises ``TypeError`` for what JSON does not have."""
    if not _has_numbers(value):
        try:
            return _encode(value).encode("ascii")
        except ValueError:  # an infinity of somebody's arithmetic
            pass
    return "".join(_written(value)).encode("ascii")


def _text(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = raw.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise Unreadable("not UTF-8") from None
        # Halves that were encoded one by one belong together, as they do when they are escaped.
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass").removeprefix("\ufeff")
    return text


def _parse(text: str) -> Any:
    try:
        value = _decoder.decode(text)
    except (ValueError, RecursionError):  # said without the words of the body
        raise Unreadable("not JSON, or nested too deep") from None
    _require_flat(value, text, 0, len(text))
    return value


def _require_flat(value: object, text: str, start: int, end: int) -> None:
    # Most documents have fewer brackets than the limit, and need no look.
    if text.count("{", start, end) + text.count("[", start, end) > DEPTH_MAX and _is_deeper(value, DEPTH_MAX):
        raise Unreadable("nested too deep")


def _items(text: str) -> Iterator[object]:
    """The items of an array that can be read whole. Raises ``ValueError`` or ``RecursionError`` where it cannot."""
    place = _past_space(text, 0)
    if text[place : place + 1] != "[":
        raise Unreadable("not an array")
    place = _past_space(text, place + 1)
    more = text[place : place + 1] != "]"
    while more:
        value, end = _decoder.raw_decode(text, place)
        _require_flat(value, text, place, end)
        yield value
        place = _past_space(text, end)
        if more := text[place : place + 1] == ",":
            place = _past_space(text, place + 1)
    if text[place : place + 1] != "]" or _past_space(text, place + 1) != len(text):
        raise Unreadable("an array that does not end")


def _past_space(text: str, place: int) -> int:
    match = _SPACE.match(text, place)
    return place if match is None else match.end()


def _item(part: str) -> object:
    try:
        if has_more_values(part.encode("utf-8", "surrogatepass"), VALUES_MAX):
            return UnreadableItem(part)
        return _parse(part)
    except Unreadable:
        return UnreadableItem(part)


_SPACE: Final = re.compile(r"[ \t\n\r]*")
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{},]', re.DOTALL)


def _parts(text: str) -> Iterator[str]:
    """The texts of an array's items, found by its brackets alone."""
    text = text.strip()
    if not (text.startswith("[") and text.endswith("]")):
        raise Unreadable("not an array")
    depth, start = 0, 1
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in "[{":
            depth += 1
        elif mark in "]}":
            depth -= 1
            if depth == 0:
                if token.end() != len(text):
                    break
                if part := text[start : token.start()].strip():
                    yield part
                return
        elif mark == "," and depth == 1:
            yield text[start : token.start()].strip()
            start = token.end()
    raise Unreadable("an array that does not end")


def _is_deeper(value: object, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _has_numbers(value: object) -> bool:
    """Whether a :class:`Number` is in it, or a float that JSON does not have."""
    rest: list[Any] = [value]
    while rest:
        inner = rest.pop()
        kind = type(inner)
        if kind is str or kind is int:
            continue
        if kind is dict:
            rest.extend(inner.values())
        elif kind is list or kind is tuple:
            rest.extend(inner)
        elif kind is Number:
            return True
    return False


def _written(value: object) -> Iterator[str]:
    match value:
        case Number():
            yield value.spelling
        case float() if value != value or value in (float("inf"), float("-inf")):
            yield "null"
        case dict():
            for index, (key, inner) in enumerate(value.items()):
                yield ("," if index else "{") + _encode(key if isinstance(key, str) else str(key)) + ":"
                yield from _written(inner)
            yield "}" if value else "{}"
        case list() | tuple():
            for index, inner in enumerate(value):
                yield "," if index else "["
                yield from _written(inner)
            yield "]" if value else "[]"
        case _:
            yield _encode(value)
