"""How two versions of a tool differ in what is registered: the words that changed, and all of it as a diff."""

import json
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher, unified_diff
from typing import Any, Final

from zerotouch_contracts.canonical import canonical_json

_NOTHING: Final = object()


def json_text(document: Mapping[str, Any]) -> str:
    """What is hashed, spread over lines: keys in order, nothing escaped that need not be."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False)


def unified(old: Mapping[str, Any], new: Mapping[str, Any], names: tuple[str, str]) -> Iterator[str]:
    """The lines of a unified diff; none where the two are registered alike."""
    was, now = (json_text(document).splitlines() for document in (old, new))
    return unified_diff(was, now, *names, lineterm="")


def changed_words(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """A line for each value that differs: its path, and what stands in either; of a text the words alone."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted(old.keys() | new.keys()):
            yield from changed_words(old.get(key, _NOTHING), new.get(key, _NOTHING), f"{path}.{key}" if path else key)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            pair = [items[index] if index < len(items) else _NOTHING for items in (old, new)]
            yield from changed_words(pair[0], pair[1], f"{path}[{index}]")
    elif isinstance(old, str) and isinstance(new, str):
        yield from (f"{path}: {change}" for change in _words(old, new))
    elif _text(old) != _text(new):
        yield f"{path}: {_text(old)} → {_text(new)}"


def _words(old: str, new: str) -> Iterator[str]:
    was, then = old.split(" "), new.split(" ")
    for kind, from_, to, begin, end in SequenceMatcher(None, was, then, autojunk=False).get_opcodes():
        if kind != "equal":
            removed, added = " ".join(was[from_:to]), " ".join(then[begin:end])
            yield " ".join(part for part in (removed and f"[-{removed}-]", added and f"[+{added}+]") if part)


def _text(value: object) -> str:
    return "(nothing)" if value is _NOTHING else canonical_json(value).decode()
