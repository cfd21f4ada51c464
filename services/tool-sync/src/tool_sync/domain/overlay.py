"""Which of a clinic's own words its version of a tool takes: pure, by the parts' names and lengths alone.

overlay_of(version, custom)   the parts that go into what is sent, in one order
part_states(version, custom)  what becomes of every part, for people
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from tool_sync.domain.events import CustomPart
from tool_sync.domain.fleet.state import Version

SUFFIX: Final = "description_suffix"
MESSAGES: Final = "messages"
PARAMETER: Final = "static_parameters."
"""Before the name of a static parameter that is open."""

DESCRIPTION_MAX: Final = 999
"""Characters. Vapi takes more, and its models then follow the description worse (GITOPS learnings/tools.md)."""
SEPARATOR: Final = "\n"
"""Between a description and its suffix."""

PartState = Literal["in_use", "not_open", "too_long", "lost"]
"""``in_use``: in what the clinic's version sends. ``not_open``: the version does not declare it open. ``too_long``: the
version's description and the suffix are too long together. ``lost``: its text is not stored any more."""


@dataclass(frozen=True, slots=True)
class CustomState:
    """What becomes of one part under the version that the clinic gets."""

    part: str
    state: PartState


def overlay_of(version: Version, custom: Iterable[CustomPart]) -> tuple[CustomPart, ...]:
    """The words that this version is sent with, by the names of their parts."""
    return tuple(sorted((one for one in custom if part_state(version, one) == "in_use"), key=lambda one: one.part))


def part_state(version: Version | None, part: CustomPart) -> PartState:
    """What becomes of the part under a version; None: no version gives the clinic the tool."""
    if version is None or part.part not in version.open:
        return "not_open"
    if part.part == SUFFIX and part.characters > room_for_suffix(version):
        return "too_long"
    return "in_use"


def room_for_suffix(version: Version) -> int:
    """So many characters a suffix may have."""
    function: Any = version.document.get("function")
    description = function.get("description") if isinstance(function, dict) else None
    return DESCRIPTION_MAX - len(description if isinstance(description, str) else "") - len(SEPARATOR)
