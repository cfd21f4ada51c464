"""What is known of the tools' versions. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from zerotouch_contracts.blueprint import PublishedVersion, ToolPublished
from zerotouch_contracts.tools import ANSWERED

_ANSWERED: Final = frozenset((definition.name, definition.contract) for definition in ANSWERED)


@dataclass(frozen=True, slots=True)
class Published:
    """By tool, the newest that was said of it."""

    tools: Mapping[str, ToolPublished] = field(default_factory=dict)

    def version(self, name: str, number: int) -> PublishedVersion | None:
        """A version; None where it was not told of, or left out."""
        tool = self.tools.get(name)
        return None if tool is None else tool.by_version.get(number)

    def contract(self, name: str, number: int) -> int | None:
        """The contract that a version was published with, 0 where another service answers it; None where unknown."""
        version = self.version(name, number)
        return None if version is None else version.contract

    def had(self, name: str, number: int) -> int:
        """The version that a clinic has whose newest outcome says ``number``: that one, unless no clinic has it any
        more and there is only one that any clinic has or may get. An update in place is told to no assistant.
        """
        tool = self.tools.get(name)
        current = [one.version for one in tool.versions if one.ordered or one.held] if tool else []
        return current[0] if len(current) == 1 else number

    def may_go_unheard(self, name: str) -> bool:
        """Whether a clinic may have, or get, a version whose answer the model never hears."""
        tool = self.tools.get(name)
        return tool is not None and any(one.asynchronous and (one.ordered or one.held) for one in tool.versions)

    @property
    def lacking(self) -> tuple[tuple[str, int], ...]:
        """The (name, contract) pairs that clinics have or may get, and that this release does not answer."""
        wanted = {
            (name, one.contract)
            for name, tool in self.tools.items()
            for one in tool.versions
            if one.contract and (one.ordered or one.held)
        }
        return tuple(sorted(wanted - _ANSWERED))


def unheard(tool: ToolPublished | None) -> frozenset[int]:
    """The versions that orders may give and whose answer the model never hears."""
    versions = () if tool is None else tool.versions
    return frozenset(one.version for one in versions if one.asynchronous and one.ordered)


NOTHING: Final = Published()
"""Before anything was read: versions are described and answered as far as this release knows them."""
