"""Whether what a command printed for people fits: prose in 80 columns, rows of a list below 120."""

import re

PROSE, ROWS = 80, 119
_GAP = re.compile(r"(?<=\S)  +(?=\S)")
_WHOLE = re.compile(r"""\s*(["{}\[\]<]|[-+@ ]\s*["{}\[\]]|table |log   )""")
"""JSON, a difference of two, rows of a table beside the log's, and what is to be copied into a page."""
_ONE_WORD = re.compile(r"`[^`]*`|(?<=\s)[{\[][{\[\"].*")
"""A command, and JSON behind what it is."""
SHORT = 50
"""A word of so many columns has room in a line of its own, also below a label; an address or a command may not."""


def too_wide(text: str) -> list[str]:
    """The lines that could have been folded and were not."""
    return [line for line in text.splitlines() if _is_too_wide(line)]


def _is_too_wide(line: str) -> bool:
    limit = ROWS if len(_GAP.findall(line)) > 1 else PROSE
    if len(line) <= limit or _WHOLE.match(line):
        return False
    # What reaches behind the limit must be one word, and longer than what could stand below.
    words = _ONE_WORD.sub(lambda found: "x" * len(found[0]), line)
    return words.rfind(" ") >= limit or len(words.split()[-1]) <= SHORT
