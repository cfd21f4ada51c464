"""What is published in a run: versions of two tools, and releases whose workers seed a new log with some of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from tool_sync.domain.events import BlueprintPublished
from tool_sync.sync.blueprint import Blueprint
from zerotouch_contracts.canonical import canonical_hash
from zerotouch_contracts.tools import CANCEL_APPOINTMENT, DEFINITIONS, ORGANIZATION_PARAMETER, ToolDefinition

from .faults import Faults

INSTALLATION: Final = UUID("0b7e3c1e-3a64-4b3e-9a55-5d4f0a6c9a10")
_TOOLS: Final = (DEFINITIONS[0], replace(CANCEL_APPOINTMENT, tier="professional"))
UNANSWERED_CONTRACT: Final = 99


def _blueprint(tools: tuple[ToolDefinition, ...], url: str) -> Blueprint:
    return Blueprint(tools, url, INSTALLATION, None)


def _later(tool: ToolDefinition) -> ToolDefinition:
    return replace(tool, version=tool.version + 1, description=f"{tool.description} Now better.")


def _unanswered(tool: ToolDefinition) -> ToolDefinition:
    return replace(
        tool, version=tool.version + 2, contract=UNANSWERED_CONTRACT, description=f"{tool.description} Some day."
    )


OLD: Final = _blueprint(_TOOLS, "https://hooks.example.test")
MOVED: Final = _blueprint(_TOOLS, "https://hooks-2.example.test")
"""The same version numbers with another URL, and so with other hashes."""
NEWER: Final = _blueprint(tuple(map(_later, _TOOLS)), "https://hooks-2.example.test")
UNANSWERED: Final = _blueprint(tuple(map(_unanswered, _TOOLS)), "https://hooks-2.example.test")
"""Versions of a contract that no release of assistant-api answers yet."""


def published(release: Blueprint, name: str) -> BlueprintPublished:
    """The event that publishes a release's version of a tool."""
    return release.published(next(each for each in release.definitions if each.name == name))


SUFFIX: Final = "description_suffix"
MESSAGES: Final = "messages"
GREETING: Final = "static_parameters.greeting"


def _worded(version: int, description: str, *open_: str) -> BlueprintPublished:
    """A version of the first tool that has messages and a greeting, and leaves these parts to clinics."""
    made = MOVED.published(replace(_TOOLS[0], version=version, description=description))
    assert made.document is not None
    document = {
        **made.document,
        "messages": [{"type": "request-start", "content": "One moment."}],
        "parameters": [*made.document["parameters"], {"key": "greeting", "value": "Hello."}],
    }
    return replace(made, document=document, definition_hash=canonical_hash(document), open=open_)


OPEN: Final = _worded(10, "Books.", SUFFIX, MESSAGES, GREETING)
HALF_OPEN: Final = _worded(11, "Books, and has much to say of it. ".ljust(900, "."), SUFFIX, MESSAGES)
"""No greeting is open, and a suffix of more than 98 characters does not fit."""

TOOL_NAMES: Final = tuple(definition.name for definition in _TOOLS)
PUBLISHED: Final[Mapping[tuple[str, str], Mapping[str, Any]]] = {
    (name, event.definition_hash): event.document or {}
    for release in (OLD, MOVED, NEWER, UNANSWERED)
    for name in TOOL_NAMES
    for event in (published(release, name),)
} | {(event.name, event.definition_hash): event.document or {} for event in (OPEN, HALF_OPEN)}


@dataclass(frozen=True, slots=True)
class Said:
    """What tells one version of a tool from another, and one clinic's words from another's."""

    url: str
    description: str
    messages: tuple[str, ...]
    static: frozenset[tuple[str, Any]]

    def with_words(self, words: Mapping[str, Any]) -> "Said":
        """With a clinic's own, by the names of their parts: composed by rules of our own."""
        made = self
        for part, text in words.items():
            if part == SUFFIX:
                made = replace(made, description=f"{self.description}\n{text}")
            elif part == MESSAGES:
                made = replace(made, messages=_contents(text))
            else:
                key = part.split(".")[1]
                made = replace(made, static=frozenset((*((k, v) for k, v in made.static if k != key), (key, text))))
        return made


def said(tool: Mapping[str, Any]) -> Said:
    """What a tool, or a version's document, says: but for whose it is."""
    static = ((item["key"], item["value"]) for item in tool["parameters"] if item["key"] != ORGANIZATION_PARAMETER)
    messages = _contents(tool.get("messages") or ())
    return Said(tool["server"]["url"], tool["function"]["description"], messages, frozenset(static))


def _contents(messages: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(f"{message['type']}: {message['content']}" for message in messages)


def releases_of(faults: Faults) -> tuple[Blueprint, ...]:
    """The releases whose workers are side by side, oldest first."""
    scripts = ("a rollout", "a gated rollout", "pins", "a change window", "own words")
    if faults.plan.script in scripts or faults.has("newer_version"):
        return OLD, NEWER
    return (OLD, MOVED) if faults.has("other_url") else (OLD,)
