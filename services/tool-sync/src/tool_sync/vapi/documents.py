"""What is read from Vapi's documents beyond their id. Nothing in them is trusted to have the documented shape."""

from collections.abc import Collection, Mapping

from zerotouch_platform.vapi.paging import created_at

__all__ = ["created_at", "holds", "latest_version", "mentioned"]


def latest_version(document: Mapping[str, object]) -> str | None:
    """Vapi's label of the newest version ("v3"), which a pin may name; None where it says none."""
    label = document.get("latestVersion")
    plain = isinstance(label, str) and 0 < len(label) <= 64 and label.isascii() and label.isprintable()
    return label if isinstance(label, str) and plain else None


def mentioned(document: object, ids: Collection[str]) -> set[str]:
    """Those of ``ids`` that a document holds as a value anywhere: in ``toolIds``, ``toolRefs``, or a place to come."""
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
