"""What commands print for people: prose folded at 80 columns, rows of a list below 120, and no word broken.

::

    wanted      yes: by rollout seed-bookClinicAppointment, completed: version 2;   prose with a label: what does not
                the organization's tier is basic                                    fit stands below its text
    1  2026-11-28 14:30:00 UTC  assistants.v1, partition 0: offset 17               a row: two gaps or more

An id, an address, a command in backticks and JSON stand whole, so that they can be copied, even where one is longer
than its line. Documents, and what programs read, are printed by :func:`print_whole`.
"""

import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from typing import Final
from unicodedata import combining, east_asian_width

from zerotouch_platform.text import printable

COLUMNS: Final = 80
"""Of prose, also where a terminal is wider."""
COLUMNS_OF_ROWS: Final = 119
"""Where no terminal is narrower."""
HANGING: Final = 4
"""So much further right a line goes on: a field of an entry stands at two."""
_TEXT_AT_MAX: Final = 30
"""Further right nothing would fit below a label."""
_GAP: Final = re.compile(r"(?<=\S)  +(?=\S)")
# A command in backticks is one word, as long as it fits below what it stands in, and so is JSON, which ends its line.
_WORD: Final = re.compile(r"[{\[][{\[\"].*|(?:`[^`]{1,74}`|\S)+")


def fold(line: str, columns: int = COLUMNS, columns_of_rows: int = COLUMNS_OF_ROWS) -> Iterator[str]:
    """The lines that are printed for one."""
    line = printable(line.expandtabs()).rstrip()
    gaps = list(_GAP.finditer(line))
    wide = columns_of_rows if len(gaps) > 1 else columns
    if _width(line) <= wide:
        yield line
        return
    at = len(line) - len(line.lstrip()) + HANGING
    if len(gaps) == 1 and gaps[0].end() <= _TEXT_AT_MAX:
        at = gaps[0].end()
    yield from _folded(line, at, wide)


def _folded(line: str, at: int, columns: int) -> Iterator[str]:
    """Words in as many lines as they need, all but the first beginning at column ``at``."""
    said, end = "", 0
    for found in _WORD.finditer(line):
        space, word, end = line[end : found.start()], found.group(), found.end()
        # A word that is longer than any line would not fit behind a break either, and would leave a short line.
        if said.strip() and _width(said + space + word) > columns and at + _width(word) <= columns:
            yield said
            said = " " * at + word
        else:
            said += space + word
    yield said


def _width(text: str) -> int:
    """Columns of a terminal: a letter of Chinese takes two, an accent of its own none."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(letter) else 2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def print_lines(lines: Iterable[str]) -> None:
    """Print them; a line that others wrote may have ends of lines in it."""
    columns, columns_of_rows = COLUMNS, COLUMNS_OF_ROWS
    if sys.stdout.isatty():
        columns_of_rows = max(1, shutil.get_terminal_size((COLUMNS, 0)).columns)
        columns = min(COLUMNS, columns_of_rows)
    for line in lines:
        for part in line.split("\n"):
            for folded in fold(part, columns, columns_of_rows):
                _print(folded)
    _print(None)


def print_line(line: str) -> None:
    """Print one alone."""
    print_lines((line,))


def print_whole(text: str) -> None:
    """Print JSON, and what is to be copied or read by a program."""
    _print(text)


def _print(text: str | None) -> None:
    """None: what was printed goes out. Where nobody reads any more, as behind `| head`, the command still does its work
    and ends as it would."""
    try:
        if text is None:
            sys.stdout.flush()
        else:
            print(text)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_error(text: str) -> None:
    """Print on standard error: in a terminal folded, elsewhere as it is, as programs that keep it read lines."""
    lines = text.split("\n")
    if sys.stderr.isatty():
        columns = min(COLUMNS, shutil.get_terminal_size((COLUMNS, 0)).columns)
        lines = [folded for line in lines for folded in fold(line, columns, columns)]
    print("\n".join(lines), file=sys.stderr)
