"""Which function tools the model of an assistant has during a call.

Inline tools first, then the linked ones, then the pinned ones; of one function name only the first counts. A pin gets
the tool's newest content, because the sandbox keeps no older one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from vapi_sandbox.records import Document, pinned_ids, tool_facts
from vapi_sandbox.store import Shelf


@dataclass(frozen=True, slots=True)
class Dangling:
    """The assistant names a tool that is not there: the call ends before anybody speaks."""

    tool_id: str


def toolbox(assistant: Document, tools: Shelf) -> dict[str, Document] | Dangling:
    """Return the function tools by function name, as documents; every linked tool must exist, whatever its type."""
    model = assistant.get("model")
    found = [tool for tool in _listed(model, "tools") if isinstance(tool, dict)]
    for tool_id in [*_listed(model, "toolIds"), *pinned_ids(model)]:
        resource = tools.get(tool_id)
        if resource is None:
            return Dangling(tool_id)
        found.append(json.loads(resource.body))
    box: dict[str, Document] = {}
    for tool in found:
        facts = tool_facts(tool)
        if facts.type == "function" and facts.name is not None:
            box.setdefault(facts.name, tool)
    return box


def merged_arguments(tool: Document, from_model: Document) -> Document:
    """Return the arguments that are delivered: the tool's static parameters win over what the model filled in.

    Liquid in a static value stays text; it would take a live call to resolve it.
    """
    return {**from_model, **_static(tool.get("parameters"))}


def _static(parameters: object) -> Document:
    items = parameters if isinstance(parameters, list) else []
    return {
        item["key"]: item.get("value") for item in items if isinstance(item, dict) and isinstance(item.get("key"), str)
    }


def _listed(model: object, name: str) -> list[Any]:
    value = model.get(name) if isinstance(model, dict) else None
    return value if isinstance(value, list) else []
