"""Somebody's words in one line, with nothing in them that Vapi, or whoever looks for our block, would act on."""

import unicodedata
from typing import Final

# No brace of a clinic's is left, so nothing of it is evaluated, whatever stands beside it; nor a marker of a block.
_DEFUSED: Final = (("{", "("), ("}", ")"), ("<!--", "("), ("-->", ")"))


def plain(text: str) -> str:
    """The words, harmless and in one line."""
    for mark, harmless in _DEFUSED:
        text = text.replace(mark, harmless)
    shown = (" " if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} or _turns(char) else char for char in text)
    return " ".join("".join(shown).split())


def _turns(char: str) -> bool:
    """Whether a character changes the direction of what follows it."""
    return char in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
