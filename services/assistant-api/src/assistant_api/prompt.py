"""The part of the system prompt that is ours: how to use the tools, between two markers, below the clinic's own words.

You are the receptionist of …            the clinic's

<!-- zerotouch:tools -->
You can use these tools. …               ours, made from the tool definitions
<!-- /zerotouch:tools -->
"""

import re
from collections.abc import Iterable
from typing import Final

from zerotouch_contracts.tools import ToolDefinition

BEGIN: Final = "<!-- zerotouch:tools -->"
END: Final = "<!-- /zerotouch:tools -->"

_BLOCK: Final = re.compile(rf"(?:\n\n)?{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)


def tools_block(definitions: Iterable[ToolDefinition]) -> str:
    """The marked block; the same definitions give the same bytes."""
    lines = [
        BEGIN,
        "You can use the tools below. Ask for every required value before you call one, and never make one up.",
    ]
    for definition in definitions:
        schema = definition.parameters_schema()
        required = set(schema["required"])
        lines += ["", f"{definition.name}: {definition.description}"]
        lines += [
            f"- {name} ({'required' if name in required else 'optional'}): {spec.get('description', '')}".rstrip(": ")
            for name, spec in schema["properties"].items()
        ]
    return "\n".join([*lines, END])


def without_block(prompt: str) -> str:
    """The clinic's own words: ``prompt`` without marked blocks and stray markers; otherwise untouched."""
    return _BLOCK.sub("", prompt).replace(BEGIN, "").replace(END, "")


def with_block(own_words: str, block: str) -> str:
    """The clinic's own words with ``block`` below; putting it in a second time changes nothing."""
    own_words = without_block(own_words)
    return f"{own_words}\n\n{block}" if own_words else block
