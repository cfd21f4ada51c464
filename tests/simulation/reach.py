"""Does the next caller of an assistant reach our tool? Judged from Vapi's side, by rules of our own.

It shares no line with what tool-sync decides by: an oracle that asks the accused is none.
"""

from collections.abc import Collection, Iterator
from uuid import UUID

from .vapi import Json, Server

MARK_KEYS = ("zerotouch_installation", "organization_id", "agent_id")


def hindrance(server: Server, assistant: Json, org_id: UUID, name: str, urls: Collection[str]) -> str | None:
    """Why a call of ``name`` does not come to this org by way of one of ``urls``; None where it does."""
    model = assistant.get("model") or {}
    ids = list(named(model))
    if gone := [tool_id for tool_id in ids if tool_id not in server.tools]:
        return f"the call fails by {gone[0]}, which does not exist"
    kinds = assistant.get("serverMessages")
    if kinds is not None and "tool-calls" not in kinds:
        return "tool-calls are not sent"
    if any(name == _called(tool) for tool in model.get("tools") or ()):
        return "an inline tool has the same name"
    candidates = [tool_id for tool_id in ids if _called(server.tools[tool_id]) == name]
    if len(candidates) != 1:
        return f"{len(candidates)} tools of that name are linked"
    if server.owner_of(candidates[0]) != org_id:
        return f"{candidates[0]} is not this clinic's"
    url = server.tools[candidates[0]]["server"]["url"]
    return None if url in urls else f"{candidates[0]} is called at {url}"


def named(model: Json) -> Iterator[str]:
    """Every tool id that a model names."""
    yield from model.get("toolIds") or ()
    yield from (ref["toolId"] for ref in model.get("toolRefs") or ())


def marked_for(assistant: Json) -> UUID | None:
    """The organization that an assistant's metadata names beside an installation."""
    metadata = assistant.get("metadata") or {}
    if not all(key in metadata for key in MARK_KEYS):
        return None
    return UUID(metadata["organization_id"])


def _called(tool: Json) -> str | None:
    function = tool.get("function")
    return function.get("name") if isinstance(function, dict) else None
