"""What is sent to Vapi for a clinic with words of its own: the version's document, its overlay and the texts."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from tool_sync.domain.events import CustomPart
from tool_sync.domain.overlay import MESSAGES, PARAMETER, SEPARATOR, SUFFIX
from zerotouch_contracts.canonical import canonical_hash, canonical_json

Texts = Mapping[str, Any]
"""By hash, the texts of one clinic: a string, or the list of messages."""


def worded(document: Mapping[str, Any], overlay: Iterable[CustomPart], texts: Texts) -> dict[str, Any]:
    """The document with the clinic's words; a part whose text is missing stays as the version has it."""
    made = dict(document)
    for part in overlay:
        if part.hash in texts:
            _put(made, part.part, texts[part.hash])
    return made


def _put(made: dict[str, Any], part: str, text: Any) -> None:
    if part == SUFFIX:
        function = made["function"]
        made["function"] = {**function, "description": f"{function['description']}{SEPARATOR}{text}"}
    elif part == MESSAGES:
        made.pop("messages", None)
        if text:
            made["messages"] = text
    elif part.startswith(PARAMETER):
        name = part.removeprefix(PARAMETER)
        made["parameters"] = [{**item, "value": text} if item["key"] == name else item for item in made["parameters"]]


def overlay_of_json(parts: Iterable[Mapping[str, Any]]) -> tuple[CustomPart, ...]:
    """An overlay as a table has it."""
    return tuple(CustomPart(one["part"], one["hash"], one["characters"]) for one in parts)


def missing(overlay: Iterable[CustomPart], texts: Texts) -> tuple[str, ...]:
    """The hashes of the overlay whose texts are not there."""
    return tuple(part.hash for part in overlay if part.hash not in texts)


def part_of(org_id: UUID, part: str, text: Any) -> CustomPart:
    """How an event names a clinic's text. Equal words of two clinics have two hashes."""
    text_hash = canonical_hash({"org_id": str(org_id), "text": text})
    return CustomPart(part, text_hash, len(text) if isinstance(text, str) else len(canonical_json(text)))
