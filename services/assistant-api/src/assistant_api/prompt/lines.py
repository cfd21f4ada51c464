"""Where our part of a system prompt stands: between two markers, below the clinic's own words.

You are the receptionist of …            the clinic's

<!-- zerotouch:tools -->
At this clinic it is now …               ours: see `block`
<!-- /zerotouch:tools -->
"""

import re
from collections.abc import Collection, Sequence
from itertools import pairwise
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
PERHAPS_UNANSWERED: Final = (
    "You may not hear its answer: until it has said that it is done, say that the clinic has the caller's wish and will"
    " confirm it, not that it is done."
)
FIRST_LINE: Final = (
    "You can use the tools below. Ask for every required value before you call one, and never make one up."
)

# The lines of a block, of this release or another, and what they look like where the text ends in the middle of one.
_TOOLS: Final = tuple(f"{name}: " for name in sorted({definition.name for definition in ANSWERED}))
_ARGUMENT: Final = re.compile(r"- [\w.-]+ \((?:required|optional)\)")
_PIECE_OF_ARGUMENT: Final = re.compile(r"-(?: (?:[\w.-]+(?: (?:\(\w*)?)?)?)?")
_OUR_LINES: Final = (
    NOW,
    HOURS,
    SERVICES,
    RULE,
    UNANSWERED,
    PERHAPS_UNANSWERED,
    "You can use the tools below.",
    *_TOOLS,
)
# Of a tool that a release does not know by itself: known by the block that is put in, or by what follows it.
_HEADING: Final = re.compile(r"([a-zA-Z0-9_-]{1,64}):(?: |$)")
_PIECE_OF_MARKER_MIN: Final = len("<!-- zerotouch")
LAYERS_MAX: Final = 8
"""How often halves of a marker may meet that had another one between them. Cuts and copies make one or two."""


def without_block(prompt: str, tools: Collection[str] = ()) -> str:
    """The clinic's own words: ``prompt`` without marked blocks, also cut ones, and stray markers; otherwise untouched.

    Done until nothing changes: two halves of a marker may meet when what was between them is taken out. ``tools`` are
    names that a block may have, besides those of this release. Time grows with the length of the prompt alone (ADR 59):
    where halves are nested deeper than by any accident, what begins a comment is broken, and nothing meets any more.
    """
    for _ in range(LAYERS_MAX):
        if (words := _without_one_layer(prompt, tools)) == prompt:
            return prompt
        prompt = words
    return prompt.replace("<!--", "(")  # as in `plain`


def is_marked(prompt: str) -> bool:
    """Whether something of ours is in a prompt."""
    return _without_one_layer(prompt, ()) != prompt


def _without_one_layer(prompt: str, tools: Collection[str]) -> str:
    if "<!-- " not in prompt:
        return prompt
    prompt = _without_end(_without_unclosed(_without_closed(prompt), tools))
    return prompt.replace(BEGIN, "").replace(END, "")


def _without_closed(prompt: str) -> str:
    """Without whole blocks: from the last BEGIN before an END, as what stands between a block that was cut off and the
    next one is the clinic's."""
    first, *rest = prompt.split(BEGIN)
    kept = [first]
    for words in rest:
        _, closed, after = words.partition(END)
        if closed:
            kept[-1] = kept[-1].removesuffix("\n\n")
            kept.append(after)
        else:
            kept += [BEGIN, words]
    return "".join(kept)


def _without_unclosed(prompt: str, tools: Collection[str]) -> str:
    """Without a block that lost its end, as editors with a limit cut it: the marker and the lines after it that are
    ours. What the clinic wrote below them stays."""
    before, marker, after = prompt.rpartition(BEGIN)
    # Nothing stands behind the marker of a block.
    if not marker or after[:1] not in {"", "\n"} or END in after:
        return prompt
    lines = after.split("\n")
    ours = 0
    while ours < len(lines) and (not lines[ours] or _is_ours(lines, ours, tools)):
        ours += 1
    before, rest = before.removesuffix("\n\n"), "\n".join(lines[ours:])
    return f"{before}\n\n{rest}" if before and rest else f"{before}{rest}"


def _is_ours(lines: Sequence[str], place: int, tools: Collection[str]) -> bool:
    line, following = lines[place], lines[place + 1] if place + 1 < len(lines) else None
    if line.startswith(_OUR_LINES) or _ARGUMENT.match(line):
        return True
    heading = _HEADING.match(line)
    if heading is not None and (heading[1] in tools or (following is not None and _is_of_tool(following))):
        return True
    if following is not None:
        return False
    starts = (FIRST_LINE, END, *_OUR_LINES, *(f"{name}: " for name in tools))
    return any(start.startswith(line) for start in starts) or bool(_PIECE_OF_ARGUMENT.fullmatch(line))


def _is_of_tool(line: str) -> bool:
    """Whether only the line of a tool's name can stand above it."""
    return line in {UNANSWERED, PERHAPS_UNANSWERED} or bool(_ARGUMENT.match(line))


def tools_in(block: str) -> frozenset[str]:
    """The names of the tools that a block of ours describes."""
    lines = block.partition(FIRST_LINE)[2].split("\n")
    headings = (_HEADING.match(line) for above, line in pairwise(lines) if not above)
    return frozenset(heading[1] for heading in headings if heading is not None)


def _without_end(prompt: str) -> str:
    """Without the first part of a marker at the end of the text."""
    for length in range(len(BEGIN) - 1, _PIECE_OF_MARKER_MIN - 1, -1):
        if prompt.endswith(BEGIN[:length]):
            return prompt[:-length].removesuffix("\n\n")
    return prompt


def with_block(own_words: str, block: str) -> str:
    """The clinic's own words with ``block`` below; putting it in a second time changes nothing."""
    own_words = without_block(own_words, tools_in(block))
    return f"{own_words}\n\n{block}" if own_words else block
