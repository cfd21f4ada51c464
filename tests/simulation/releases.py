"""What is published in a run: versions of two tools, and releases whose workers seed a new log with some of them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from tool_sync.domain.events import BlueprintPublished
from tool_sync.sync.blueprint import Blueprint
from zerotouch_contracts.tools import CANCEL_APPOINTMENT, DEFINITIONS, ToolDefinition

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


TOOL_NAMES: Final = tuple(definition.name for definition in _TOOLS)
PUBLISHED: Final[Mapping[tuple[str, str], Mapping[str, Any]]] = {
    (name, event.definition_hash): event.document or {}
    for release in (OLD, MOVED, NEWER, UNANSWERED)
    for name in TOOL_NAMES
    for event in (published(release, name),)
}


def said(tool: Mapping[str, Any]) -> tuple[str, str]:
    """What tells one version of a tool from another: where it is called, and its description."""
    return tool["server"]["url"], tool["function"]["description"]


def releases_of(faults: Faults) -> tuple[Blueprint, ...]:
    """The releases whose workers are side by side, oldest first."""
    if faults.plan.script == "a rollout" or faults.has("newer_version"):
        return OLD, NEWER
    return (OLD, MOVED) if faults.has("other_url") else (OLD,)
