"""From what is in the rows to a block: what the clinic says, and the tools that an assistant's newest outcome links."""

import hashlib
from collections.abc import Collection

from assistant_api.block import ClinicFacts, prompt_block
from zerotouch_contracts.tools import DEFINITIONS


def block_for(clinic: ClinicFacts, reachable: Collection[str]) -> str:
    """The block of an assistant whose callers reach the tools of these names."""
    return prompt_block(clinic, [definition for definition in DEFINITIONS if definition.name in reachable])


def hash_of(block: str) -> str:
    """A block as its agent's row remembers it."""
    return hashlib.sha256(block.encode()).hexdigest()
