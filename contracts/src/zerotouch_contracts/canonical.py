"""Hashes of JSON documents on which two services must agree.

The canonical form is compact JSON with sorted keys in UTF-8; numbers are written as Python's ``json`` writes them, with
whole floats as integers, because Vapi's own SDKs send ``20.0`` where we send ``20``.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from math import isinf
from typing import Final

import orjson

TOOL_LINK_KEYS = ("toolIds", "toolRefs")
"""The keys of an assistant's ``model`` that tool-sync, not the save, decides."""


_WHOLE_FLOAT: Final = re.compile(r"[0-9]\.0(?![0-9])|[0-9]e\+")
_AS_IT_IS: Final = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_PASSTHROUGH_SUBCLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_DATACLASS
)

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def _with_integers(value: object) -> object:
    """The value with every whole float as an integer, and a number beyond floats (1E400) as how it was spelled."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, float) and isinf(value) and (spelling := getattr(value, "spelling", None)) is not None:
        return f"\x00number {spelling.lower()}"  # whoever reads Vapi's JSON keeps it, and both services do so alike
    if isinstance(value, dict):
        return {key: _with_integers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_integers(item) for item in value]
    return value


def canonical_json(value: object) -> bytes:
    """The canonical form of a JSON value, as UTF-8 bytes."""
    try:
        quick = orjson.dumps(value, option=_AS_IT_IS)
    except TypeError:  # half an emoji, a number as it was spelt, an integer above 64 bits, a key that is no text
        return _spelt(value)
    return _spelt(value) if _has_odd_float(value) else quick


def _has_odd_float(value: object) -> bool:
    """Whether a float is in it that orjson spells otherwise: a whole, a tiny or a huge one, or no number at all."""
    rest: list[object] = [value]
    while rest:
        inner = rest.pop()
        if type(inner) is float:
            if not 1e-4 <= abs(inner) < 1e16 or inner.is_integer():
                return True
        elif type(inner) is dict:
            rest.extend(inner.values())
        elif type(inner) is list or type(inner) is tuple:
            rest.extend(inner)
    return False


def _spelt(value: object) -> bytes:
    try:
        text = _encode(value)
    except ValueError:  # an infinity: refused unless it was read as a number
        text = _encode(_with_integers(value))
    if _WHOLE_FLOAT.search(text):  # or what looks like one inside of a string; most documents have neither
        text = _encode(_with_integers(value))
    return text.encode("utf-8", "surrogatepass")


def canonical_hash(value: object) -> str:
    """SHA-256 of the canonical form, 64 lower-case hex digits."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def model_hash(model: Mapping[str, object] | None) -> str:
    """The hash of an assistant's ``model`` without its tool links.

    assistant-api publishes it in ``AssistantSaved``; tool-sync computes it from what it reads, to tell whose version of
    the assistant it is looking at. Both take Vapi's answer, never what was sent, as Vapi adds defaults.
    """
    return canonical_hash({key: value for key, value in (model or {}).items() if key not in TOOL_LINK_KEYS})
