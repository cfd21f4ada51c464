"""Words for tests of what is published: versions of tools, and all that is known of them."""

from typing import Any

from assistant_api.published.known import Published
from zerotouch_contracts.blueprint import PublishedVersion, ToolPublished
from zerotouch_contracts.tools import ToolDefinition

DIRECTIONS = {
    "type": "object",
    "properties": {
        "to": {"type": "string", "description": "The number or address."},
        "note": {"type": "string"},
        "channel": {"type": "string", "description": "Where to send it."},
    },
    "required": ["channel", "to"],
}


def version(number: int = 1, **fields: Any) -> PublishedVersion:
    """A version of a tool that another service answers."""
    return PublishedVersion(
        **{
            "version": number,
            "definition_hash": f"{number:064x}",
            "contract": 0,
            "tier": "basic",
            "asynchronous": False,
            "description": f"Sends the way, version {number}.",
            "parameters": DIRECTIONS,
            "ordered": True,
            **fields,
        }
    )


def of(definition: ToolDefinition, number: int | None = None, **fields: Any) -> PublishedVersion:
    """A definition of this release as it is published, its schema as a database gives it back."""
    schema = definition.parameters_schema()
    reordered = {**schema, "properties": dict(sorted(schema["properties"].items(), key=lambda item: len(item[0])))}
    said = {
        "contract": definition.contract,
        "asynchronous": definition.asynchronous,
        "description": definition.description,
        "parameters": reordered,
    }
    return version(definition.version if number is None else number, **{**said, **fields})


def tool(name: str, *versions: PublishedVersion, position: int = 1, **fields: Any) -> ToolPublished:
    """What is said of a tool."""
    return ToolPublished(tool=name, position=position, halted=False, versions=versions, **fields)


def known(*tools: ToolPublished) -> Published:
    """All that is known."""
    return Published({one.tool: one for one in tools})
