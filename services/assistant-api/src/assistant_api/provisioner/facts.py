"""From what is in the rows to a block: what the clinic says, and the tools that an assistant's newest outcome links."""

import hashlib
from collections.abc import Collection
from typing import Final

from assistant_api.prompt.block import ClinicFacts, prompt_block
from assistant_api.prompt.described import DescribedTool, of_definition, of_published, says_the_same
from assistant_api.published.known import NOTHING, Published
from zerotouch_contracts.tools import ANSWERED

_NEWEST: Final = {definition.name: definition for definition in ANSWERED}
_KNOWN: Final = {(definition.name, definition.version): definition for definition in ANSWERED}
_OF_CONTRACT: Final = {(definition.name, definition.contract): definition for definition in ANSWERED}


def block_for(clinic: ClinicFacts, reachable: Collection[str], published: Published = NOTHING) -> str:
    """The block of an assistant whose callers reach these tools, each as `name:version`."""
    found = [_described(*_read(tool), published) for tool in reachable]
    return prompt_block(clinic, [tool for tool in found if tool is not None])


def _read(tool: str) -> tuple[str, int]:
    """The name and the version; 0 for one that is not known."""
    name, _, number = tool.partition(":")
    return name, int(number) if number.isdecimal() else 0


def _described(name: str, number: int, published: Published) -> DescribedTool | None:
    """The tool in the version that the clinic has, as far as anybody has told us of it; else in the newest known.

    It may be another one by now, as an update in place is told to no assistant: where one that may be had never
    answers, the block says what is true of both.
    """
    number = published.had(name, number)
    version, definition = published.version(name, number), _KNOWN.get((name, number))
    newest = published.tools.get(name)
    if version is not None and not (definition is not None and says_the_same(version, definition)):
        tool = of_published(name, version, _OF_CONTRACT.get((name, version.contract)))
    elif definition := definition or _NEWEST.get(name):
        tool = of_definition(definition)
    elif newest is not None:  # the version was left out of what we were told
        tool = of_published(name, newest.versions[-1]).perhaps_unheard()
    else:
        return None
    return tool.perhaps_unheard() if published.may_go_unheard(name) else tool


def hash_of(block: str) -> str:
    """A block as its agent's row remembers it."""
    return hashlib.sha256(block.encode()).hexdigest()
