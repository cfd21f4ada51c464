"""What a check did not look at, in lines that fit a terminal: an all-clear is worth as much as these."""

from collections.abc import Iterable
from textwrap import wrap
from typing import Final

COLUMNS: Final = 80


def say_not_looked_at(limits: Iterable[str]) -> None:
    """One sentence each."""
    for limit in limits:
        print("\n".join(wrap(f"not looked at: {limit}", COLUMNS, subsequent_indent="  ")))
