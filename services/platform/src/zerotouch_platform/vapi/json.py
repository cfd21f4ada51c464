"""Vapi's JSON, read and written back without changing what we do not mean to change.

Vapi stores what JavaScript stores: half of an emoji (a lone surrogate), U+0000, 2^53+1. All of it is read; written back
it is the same, numbers in the spelling that they came in. Of a key that is there twice the last one counts, as in
JavaScript. What is written is ASCII, so that text that UTF-8 cannot hold survives.
"""

import json
import re
import secrets
from typing import Any, Final

_BOM: Final = b"\xef\xbb\xbf"
_DIGITS_MAX: Final = 4000
"""Longer integers are kept as they are spelled: Python refuses to convert them."""
_SENTINEL: Final = f"\ufdd0{secrets.token_hex(8)}:"
"""Marks a number in the encoder's output. Random, so that no document can hold it."""
_MARKED: Final = re.compile(rf'"{json.dumps(_SENTINEL)[1:-1].replace(chr(92), chr(92) * 2)}([^"]*)"')


class Spelled:
    """A number that Python would write in another way: ``1e21``, ``1E400``, ``-0``, ``NaN``, thousands of digits.

    Equal to whatever number has its value; written as ``text``.
    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __float__(self) -> float:
        return float(self.text)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Spelled):
            return self.text == other.text or float(self) == float(other)
        return not isinstance(other, bool) and isinstance(other, int | float) and float(self) == other

    def __hash__(self) -> int:
        return hash(float(self))

    def __repr__(self) -> str:
        return self.text


def read(raw: bytes) -> Any:
    """The value in ``raw``. Raises ``ValueError`` where it is no JSON, or is nested deeper than Python can follow."""
    try:
        text = raw.removeprefix(_BOM).decode("utf-8", "surrogatepass")
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError("the document is nested too deeply") from None


def write(value: object) -> bytes:
    """``value`` as compact JSON in ASCII; keys in their order. Raises ``ValueError`` where it is nested too deeply."""
    spelled = False

    def default(item: object) -> str:
        nonlocal spelled
        if not isinstance(item, Spelled):
            raise TypeError(f"{type(item).__name__} is no JSON value")
        spelled = True
        return _SENTINEL + item.text

    try:
        text = json.dumps(value, separators=(",", ":"), default=default, check_circular=False)
    except RecursionError:
        raise ValueError("the document is nested too deeply") from None
    return (_MARKED.sub(r"\1", text) if spelled else text).encode("ascii")


def _float(text: str) -> "float | Spelled":
    value = float(text)
    return value if repr(value) == text else Spelled(text)


def _int(text: str) -> "int | Spelled":
    if text == "-0" or len(text) > _DIGITS_MAX:
        return Spelled(text)
    return int(text)


# Not strict: a raw control character in a string is what some clients send, and what Vapi then stores.
_DECODER: Final = json.JSONDecoder(parse_float=_float, parse_int=_int, parse_constant=Spelled, strict=False)
