"""The releases of a run: one, or two side by side, of which the later one has another URL or a higher version."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from tool_sync.sync.blueprint import Blueprint
from zerotouch_contracts.tools import CANCEL_APPOINTMENT, DEFINITIONS, ToolDefinition

from .faults import Faults

INSTALLATION: Final = UUID("0b7e3c1e-3a64-4b3e-9a55-5d4f0a6c9a10")
_TOOLS: Final = (DEFINITIONS[0], replace(CANCEL_APPOINTMENT, tier="professional"))


def _blueprint(tools: tuple[ToolDefinition, ...], url: str) -> Blueprint:
    return Blueprint.of(tools, server_url=url, installation_id=INSTALLATION, credential_id=None)


def _later(tool: ToolDefinition) -> ToolDefinition:
    return replace(tool, version=tool.version + 1, description=f"{tool.description} Now better.")


OLD: Final = _blueprint(_TOOLS, "https://hooks.example.test")
MOVED: Final = _blueprint(_TOOLS, "https://hooks-2.example.test")
"""The same versions with another URL, and so with other hashes."""
NEWER: Final = _blueprint(tuple(map(_later, _TOOLS)), "https://hooks-2.example.test")
PUBLISHED: Final[Mapping[tuple[str, str], Mapping[str, Any]]] = {
    (tool.name, tool.definition_hash): release.payload(tool.name, UUID(int=0))
    for release in (OLD, MOVED, NEWER)
    for tool in release.tools
}


def said(tool: Mapping[str, Any]) -> tuple[str, str]:
    """What tells one release's tool from another's: where it is called, and its description."""
    return tool["server"]["url"], tool["function"]["description"]


def releases_of(faults: Faults) -> tuple[Blueprint, ...]:
    """Oldest first. The last one is to stay."""
    if faults.plan.script == "a rollout" or faults.has("newer_version"):
        return OLD, NEWER
    return (OLD, MOVED) if faults.has("other_url") else (OLD,)
