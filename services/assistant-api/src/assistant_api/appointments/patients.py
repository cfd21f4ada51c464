"""Comparing patients' names, as speech recognition and language models spell them. What was said is what is stored."""

import unicodedata
from typing import Final

_ACCENTS_FROM: Final = 200
"""Unicode's combining classes of marks above and below a letter. Those under it are part of the letter in their scripts
(the dots of Japanese kana, the nukta of Hindi): without them it would be another one."""

_LETTERS: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "'": "", "\u2019": ""}
)
"""Letters that Unicode does not take apart, and apostrophes: O'Brien is OBrien."""


def patient_key(name: str) -> str:
    """How a patient's name is compared: without case, accents, punctuation, spaces, and the order of its words."""
    decomposed = unicodedata.normalize("NFKD", name.casefold()).casefold()
    letters = "".join(char for char in decomposed if unicodedata.combining(char) < _ACCENTS_FROM)
    spaced = "".join(_spaced(char) for char in letters.translate(_LETTERS))
    return " ".join(sorted(spaced.split())) or decomposed


def _spaced(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Cf":  # invisible: joiners, marks of direction
        return ""
    return " " if category[0] in "ZPSC" else char
