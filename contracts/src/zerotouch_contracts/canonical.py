"""Hashes of JSON documents on which two services must agree.

The canonical form is compact JSON with sorted keys in UTF-8; numbers are written as Python's ``json`` writes them, with
whole floats as integers, because Vapi's own SDKs send ``20.0`` where we send ``20``.
"""

import hashlib
import json
from collections.abc import Mapping
from math import isinf
from typing import Any

import orjson

TOOL_LINK_KEYS = ("toolIds", "toolRefs")
"""The keys of an assistant's ``model`` that tool-sync, not the save, decides."""


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
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS) if _is_spelt_alike(value) else _spelt(value)
    except TypeError:  # half an emoji, an integer above 64 bits, a key that is no text, or nested very deep
        return _spelt(value)


def _is_spelt_alike(value: object) -> bool:
    """Whether orjson spells it as the form does: no whole, tiny or huge float, and no type that JSON does not have.

    orjson would take a UUID, a time or an enumeration, too, which the form refuses.
    """
    rest: list[Any] = [value]
    while rest:
        inner = rest.pop()
        kind = type(inner)
        if kind is str or kind is int or kind is bool or inner is None:
            continue
        if kind is dict:
            rest.extend(inner.values())
        elif kind is list or kind is tuple:
            rest.extend(inner)
        elif kind is not float or inner.is_integer() or not 1e-4 <= abs(inner) < 1e16:
            return False
    return True


def _spelt(value: object) -> bytes:
    try:
        text = _encode(value)
    except ValueError:  # an infinity: refused unless it was read as a number
        text = _encode(_with_integers(value))
    if ".0" in text or "e+" in text:  # a whole float, or what looks like one; most documents have neither
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
