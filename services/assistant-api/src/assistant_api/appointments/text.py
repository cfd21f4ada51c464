"""Text that callers and clinics give. It is shown in consoles, messages and templates later, and must steer none."""

import unicodedata
from typing import Final, Literal

_TEMPLATE_MARKS: Final = ("{{", "}}", "{%", "%}")
_LINES_AND_DIRECTIONS: Final = frozenset("\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


TextFault = Literal["unreadable", "template_marks"]


def fault_in(text: str, *, lines: bool = False) -> TextFault | None:
    """What is wrong with a text, or None: control characters (``lines`` allows line breaks), or template marks."""
    allowed = "\n\t" if lines else ""
    if any(
        (unicodedata.category(char) == "Cc" or char in _LINES_AND_DIRECTIONS) and char not in allowed for char in text
    ):
        return "unreadable"
    if any(mark in text for mark in _TEMPLATE_MARKS):
        return "template_marks"
    return None


_FAULTS: Final[dict[TextFault, str]] = {
    "unreadable": "must not contain control characters",
    "template_marks": "must not contain template marks",
}


def require_plain(text: str) -> str:
    """Return one line of plain text, or raise ``ValueError``."""
    if (fault := fault_in(text)) is not None:
        raise ValueError(_FAULTS[fault])
    return text
