"""From what is in the rows to a block: what the clinic says, and the tools that an assistant's newest outcome links."""

import hashlib
from collections.abc import Collection
from typing import Final

from assistant_api.prompt.block import ClinicFacts, prompt_block
from zerotouch_contracts.tools import ANSWERED, ToolDefinition

_NEWEST: Final = {definition.name: definition for definition in ANSWERED}
_KNOWN: Final = {f"{definition.name}:{definition.version}": definition for definition in ANSWERED}


def block_for(clinic: ClinicFacts, reachable: Collection[str]) -> str:
    """The block of an assistant whose callers reach these tools, each as `name:version`."""
    found = [_definition(tool) for tool in reachable]
    return prompt_block(clinic, [definition for definition in found if definition is not None])


def _definition(tool: str) -> ToolDefinition | None:
    """The definition that the assistant has; of a version that was published at run time, the newest one known here."""
    return _KNOWN.get(tool) or _NEWEST.get(tool.partition(":")[0])


def hash_of(block: str) -> str:
    """A block as its agent's row remembers it."""
    return hashlib.sha256(block.encode()).hexdigest()
