"""Where our part of a system prompt stands: between two markers, below the clinic's own words.

You are the receptionist of …            the clinic's

<!-- zerotouch:tools -->
At this clinic it is now …               ours: see `block`
<!-- /zerotouch:tools -->
"""

import re
from typing import Final

from zerotouch_contracts.tools import ANSWERED

BEGIN: Final = "<!-- zerotouch:tools -->"
END: Final = "<!-- /zerotouch:tools -->"
NOW: Final = "At this clinic it is now "
HOURS: Final = "This clinic's opening hours: "
SERVICES: Final = "This clinic's services: "
RULE: Final = "Never say that an appointment is booked, moved or cancelled before a tool has answered that it is."
UNANSWERED: Final = (
    "You do not hear its answer: say that the clinic has the caller's wish and will confirm it, not that it is done."
)
FIRST_LINE: Final = (
    "You can use the tools below. Ask for every required value before you call one, and never make one up."
)

_BEGIN, _END = re.escape(BEGIN), re.escape(END)
# The last BEGIN before an END: what stands between a block that was cut off and the next one is the clinic's.
_BLOCK: Final = re.compile(rf"(?:\n\n)?{_BEGIN}(?:(?!{_BEGIN}).)*?{_END}", re.DOTALL)
# The lines of a block, of this release or another, and what they look like where the text ends in the middle of one.
_TOOLS: Final = tuple(f"{name}: " for name in sorted({definition.name for definition in ANSWERED}))
_ARGUMENT: Final = re.compile(r"- \w+ \((?:required|optional)\)")
_PIECE_OF_ARGUMENT: Final = re.compile(r"-(?: (?:\w+(?: (?:\(\w*)?)?)?)?")
_OUR_LINES: Final = (NOW, HOURS, SERVICES, RULE, UNANSWERED, "You can use the tools below.", *_TOOLS)
_PIECE_OF_MARKER_MIN: Final = len("<!-- zerotouch")


def without_block(prompt: str) -> str:
    """The clinic's own words: ``prompt`` without marked blocks, also cut ones, and stray markers; otherwise untouched.

    Done until nothing changes: two halves of a marker may meet when what was between them is taken out.
    """
    while (words := _without_one_layer(prompt)) != prompt:
        prompt = words
    return prompt


def is_marked(prompt: str) -> bool:
    """Whether something of ours is in a prompt."""
    return without_block(prompt) != prompt


def _without_one_layer(prompt: str) -> str:
    if "<!-- " not in prompt:
        return prompt
    prompt = _without_end(_without_unclosed(_BLOCK.sub("", prompt)))
    return prompt.replace(BEGIN, "").replace(END, "")


def _without_unclosed(prompt: str) -> str:
    """Without a block that lost its end, as editors with a limit cut it: the marker and the lines after it that are
    ours. What the clinic wrote below them stays."""
    before, marker, after = prompt.rpartition(BEGIN)
    lines = after.split("\n")
    if not marker or END in after or lines[0]:  # nothing stands behind the marker of a block
        return prompt
    ours = 0
    while ours < len(lines) and _is_ours(lines[ours], last=ours == len(lines) - 1):
        ours += 1
    before, rest = before.removesuffix("\n\n"), "\n".join(lines[ours:])
    return f"{before}\n\n{rest}" if before and rest else f"{before}{rest}"


def _is_ours(line: str, *, last: bool) -> bool:
    if not line or line.startswith(_OUR_LINES) or _ARGUMENT.match(line):
        return True
    starts = (FIRST_LINE, END, *_OUR_LINES)
    return last and (any(start.startswith(line) for start in starts) or bool(_PIECE_OF_ARGUMENT.fullmatch(line)))


def _without_end(prompt: str) -> str:
    """Without the first part of a marker at the end of the text."""
    for length in range(len(BEGIN) - 1, _PIECE_OF_MARKER_MIN - 1, -1):
        if prompt.endswith(BEGIN[:length]):
            return prompt[:-length].removesuffix("\n\n")
    return prompt


def with_block(own_words: str, block: str) -> str:
    """The clinic's own words with ``block`` below; putting it in a second time changes nothing."""
    own_words = without_block(own_words)
    return f"{own_words}\n\n{block}" if own_words else block
