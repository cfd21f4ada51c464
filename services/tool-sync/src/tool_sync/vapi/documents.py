"""What is read from Vapi's documents beyond their id. Nothing in them is trusted to have the documented shape."""

import re
from collections.abc import Collection, Mapping
from typing import Final

from zerotouch_platform.vapi.json import UnreadableItem

_ESCAPED_ASCII: Final = re.compile(r"\\u00([0-7][0-9a-fA-F])")


def latest_version(document: Mapping[str, object]) -> str | None:
    """``latestVersion``, the label (``v7``) of what calls get now; None where the answer does not say.

    Of a tool or assistant (vapi-server-sdk 3.0.0, ``types/*_tool.py``; read 2026-11-28).
    """
    label = document.get("latestVersion")
    return label if isinstance(label, str) and 0 < len(label) <= 64 and label.isprintable() else None


def mentioned(document: object, ids: Collection[str]) -> set[str]:
    """Those of ``ids`` that a document holds as a value anywhere: in ``toolIds``, ``toolRefs``, or a place to come.

    Of what could not be read, those that stand anywhere in its text: rather one too many.
    """
    found: set[str] = set()
    rest = [document]
    while rest:
        match rest.pop():
            case str() as text if text in ids:
                found.add(text)
            case dict() as fields:
                rest.extend(fields.values())
            case list() as items:
                rest.extend(items)
            case UnreadableItem(text):
                plain = _ESCAPED_ASCII.sub(lambda match: chr(int(match[1], 16)), text)
                found.update(each for each in ids if each in plain)
    return found


def holds(stored: object, sent: object) -> bool:
    """Whether what Vapi stored contains what was sent; it may add defaults."""
    if isinstance(sent, dict):
        return isinstance(stored, dict) and all(holds(stored.get(key), value) for key, value in sent.items())
    if isinstance(sent, list):
        return (
            isinstance(stored, list)
            and len(stored) == len(sent)
            and all(holds(s, w) for s, w in zip(stored, sent, strict=True))
        )
    return stored == sent


def differing(stored: Mapping[str, object], sent: Mapping[str, object]) -> dict[str, object]:
    """The parts of a tool that are not as they were sent, by our names, with what is there instead.

    Empty exactly where :func:`holds_tool` is true.
    """
    wanted, there = _parts(sent), _parts(stored)
    found = {name: there.get(name) for name, value in wanted.items() if not holds(there.get(name), value)}
    if "messages" not in sent and stored.get("messages"):
        found["messages"] = stored["messages"]
    if isinstance(sent.get("function"), dict) and not isinstance(stored.get("function"), dict):
        found["function"] = stored.get("function")
    return found


def _parts(tool: Mapping[str, object]) -> dict[str, object]:
    """What a tool consists of: the fields of its function, and its own, of which ``parameters`` are the static ones."""
    function = tool.get("function")
    inner: dict[str, object] = dict(function) if isinstance(function, dict) else {}
    own = {"static_parameters" if key == "parameters" else key: value for key, value in tool.items()}
    own.pop("function", None)
    return {**own, **inner}


def holds_tool(stored: Mapping[str, object], sent: Mapping[str, object]) -> bool:
    """Whether a tool is as it was sent, and says nothing of its own: a message would be heard by every caller.

    ``messages`` is the only field that we may leave out and somebody else may fill: ``PATCH`` keeps what it does not
    name.
    """
    return holds(stored, sent) and ("messages" in sent or not stored.get("messages"))
