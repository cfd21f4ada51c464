"""Which function tools the model of an assistant has during a call.

The list is [...inline tools, ...`toolIds`, ...`toolRefs`]. A pin gets the version of the tool that it names, with the
static parameters and the server of that version. Which of several tools of one function name a call gets is not
published, and a dial (`SameName`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, assert_never

from vapi_sandbox.javascript import from_json
from vapi_sandbox.records import Document, tool_facts
from vapi_sandbox.simulated_call.shape import SameName
from vapi_sandbox.store import Shelf


@dataclass(frozen=True, slots=True)
class Dangling:
    """The assistant names a tool, or a version of one, that is not there: the call ends before anybody speaks."""

    problem: str


@dataclass(frozen=True, slots=True)
class CallTool:
    """A tool of the call and where it came from; an inline one has neither id nor version."""

    document: Document
    source: Literal["inline", "toolIds", "toolRefs"]
    id: str | None = None
    version: str | None = None

    def told(self) -> dict[str, str | None]:
        """Return what a report says of it."""
        return {"source": self.source, "id": self.id, "version": self.version}


def toolbox(assistant: Document, tools: Shelf, same_name: SameName) -> dict[str, CallTool] | Dangling:
    """Return the function tools by function name; every linked or pinned tool must exist, whatever its type."""
    model = assistant.get("model")
    listed = [CallTool(tool, "inline") for tool in _listed(model, "tools") if isinstance(tool, dict)]
    for tool_id in _listed(model, "toolIds"):
        linked = tools.get(tool_id) if isinstance(tool_id, str) else None
        if linked is None:
            return Dangling(f"Couldn't Get Tool. `toolId` {tool_id} Does Not Exist.")
        listed.append(CallTool(from_json(linked.body), "toolIds", linked.id, linked.label))
    for ref in _listed(model, "toolRefs"):
        tool_id, version = (ref.get("toolId"), ref.get("version")) if isinstance(ref, dict) else (None, None)
        if not isinstance(tool_id, str) or tools.get(tool_id) is None:
            return Dangling(f"Couldn't Get Tool. `toolId` {tool_id} Does Not Exist.")
        pinned = tools.version(tool_id, str(version))
        if pinned is None:
            return Dangling(f"Couldn't Get Tool. `toolId` {tool_id} Has No Version {version}.")
        listed.append(CallTool(from_json(pinned.body), "toolRefs", pinned.id, pinned.label))
    box: dict[str, CallTool] = {}
    for tool in _best_first(listed, same_name):
        facts = tool_facts(tool.document)
        if facts.type == "function" and facts.name is not None:
            box.setdefault(facts.name, tool)
    return box


def merged_arguments(tool: Document, from_model: Document) -> Document:
    """Return the arguments that are delivered: the tool's static parameters win over what the model filled in.

    Liquid in a static value stays text; it would take a live call to resolve it.
    """
    return {**from_model, **_static(tool.get("parameters"))}


def _best_first(listed: list[CallTool], same_name: SameName) -> list[CallTool]:
    match same_name:
        case "first":
            return listed
        case "last":
            return listed[::-1]
        case "inline":
            return sorted(listed, key=lambda tool: tool.source != "inline")
        case "saved":
            return sorted(listed, key=lambda tool: tool.source == "inline")
        case _:
            assert_never(same_name)


def _static(parameters: object) -> Document:
    items = parameters if isinstance(parameters, list) else []
    return {
        item["key"]: item.get("value") for item in items if isinstance(item, dict) and isinstance(item.get("key"), str)
    }


def _listed(model: object, name: str) -> list[Any]:
    value = model.get(name) if isinstance(model, dict) else None
    return value if isinstance(value, list) else []
