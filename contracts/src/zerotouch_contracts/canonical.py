"""Hashes of JSON documents on which two services must agree.

The canonical form is compact JSON with sorted keys in UTF-8; numbers are written as Python's ``json`` writes them, with
whole floats as integers, because Vapi's own SDKs send ``20.0`` where we send ``20``.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from typing import Final

TOOL_LINK_KEYS = ("toolIds", "toolRefs")
"""The keys of an assistant's ``model`` that tool-sync, not the save, decides."""


_JSON: Final = (str, int, float, bool, dict, list, tuple, type(None))
_WHOLE_FLOAT: Final = re.compile(r"[0-9]\.0(?![0-9])|[0-9]e\+")


def _plain(value: object) -> object:
    """A number that a reader of Vapi's JSON kept in its own spelling; beyond every float it stays text."""
    number = float(value)  # type: ignore[arg-type]
    return number if math.isfinite(number) else str(value)


_encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain
).encode


def _with_integers(value: object) -> object:
    """The value with every whole float as an integer."""
    if not isinstance(value, _JSON):
        value = _plain(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _with_integers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_integers(item) for item in value]
    return value


def canonical_json(value: object) -> bytes:
    """The canonical form of a JSON value, as UTF-8 bytes."""
    text = _encode(value)
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
