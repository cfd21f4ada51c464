"""Rules for ``open``: the parts of a tool that a clinic may word itself."""

from collections.abc import Iterator
from typing import Final

from tool_sync.domain.overlay import DESCRIPTION_MAX, MESSAGES, PARAMETER, SEPARATOR, SUFFIX
from tool_sync.publishing.lint_problem import LintProblem, nearest
from tool_sync.publishing.tool_file import ToolFile

OPEN_MAX: Final = 20
SUFFIX_ROOM_MIN: Final = 50
"""Characters that a description has to leave where a suffix is open: less is no sentence."""


def open_problems(tool: ToolFile) -> Iterator[LintProblem]:
    """Everything that is wrong with what a file declares open."""
    known = (SUFFIX, MESSAGES, *(f"{PARAMETER}{name}" for name in _texts(tool)))
    for index, part in enumerate(tool.open):
        where = f"open[{index}]"
        if part in tool.open[:index]:
            yield LintProblem(where, f"names {part!r} a second time", "leave it out")
        elif part not in known:
            what = "is no part that can be open; of static parameters only texts can"
            yield LintProblem(where, what, nearest(part, known))
    if len(tool.open) > OPEN_MAX:
        yield LintProblem("open", f"names {len(tool.open)} parts", f"write at most {OPEN_MAX}")
    room = DESCRIPTION_MAX - len(SEPARATOR) - len(tool.description)
    if SUFFIX in tool.open and room < SUFFIX_ROOM_MIN:
        longest = DESCRIPTION_MAX - len(SEPARATOR) - SUFFIX_ROOM_MIN
        what = f"leaves {max(room, 0)} characters for {SUFFIX}, which is open"
        yield LintProblem("description", what, f"write at most {longest}")


def still_open(tool: ToolFile, before: tuple[str, ...]) -> tuple[str, ...]:
    """What the version before declared open, as far as this tool may: for whoever changes it without naming any."""
    texts = _texts(tool)
    return tuple(part for part in before if not part.startswith(PARAMETER) or part.removeprefix(PARAMETER) in texts)


def _texts(tool: ToolFile) -> list[str]:
    return [name for name, value in tool.static_parameters.items() if isinstance(value, str)]
