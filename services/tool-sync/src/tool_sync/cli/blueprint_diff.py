"""``tool-sync blueprint diff``: the words that changed, then a unified diff of what is registered."""

from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher, unified_diff
from typing import Any

from tool_sync.cli.blueprint_show import json_text, version_of
from tool_sync.cli.output import print_json
from tool_sync.db import Connection
from tool_sync.queries.blueprint import PublishedVersion
from zerotouch_contracts.canonical import canonical_json

_NOTHING = object()


async def show_diff(connection: Connection, name: str, old: int, new: int, *, as_json: bool) -> int:
    """Print what differs between two versions; returns the exit status. Raises `NotFound` and `UnknownTool`."""
    one = await version_of(connection, name, old)
    other = await version_of(connection, name, new)
    words = tuple(changed_words(one.document, other.document))
    lines = tuple(_unified(one, other))
    if as_json:
        print_json("blueprint diff", {"tool": name, "old": old, "new": new, "words": words, "diff": lines})
        return 0
    print("\n".join((*words, "", *lines)) if lines else f"{name} {old} and {new} are registered alike")
    return 0


def _unified(one: PublishedVersion, other: PublishedVersion) -> Iterator[str]:
    texts = [json_text(version.document or {}).splitlines() for version in (one, other)]
    names = [f"{version.name}@{version.version}" for version in (one, other)]
    return unified_diff(texts[0], texts[1], names[0], names[1], lineterm="")


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
