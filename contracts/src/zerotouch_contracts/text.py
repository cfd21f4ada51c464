"""String types for everything that comes from outside.

pydantic accepts U+0000 and, in its python mode, lone surrogates; PostgreSQL refuses both (SQLSTATE 22P05, 22021).
A value that passes here can be stored, hashed and published.
"""

import unicodedata
from typing import Annotated, Final

from pydantic import AfterValidator, StringConstraints


def require_storable(value: str) -> str:
    """Return ``value``, or raise ``ValueError`` where it holds U+0000 or a lone surrogate."""
    if "\x00" in value:
        raise ValueError("must not contain U+0000")
    if any(0xD800 <= ord(char) <= 0xDFFF for char in value):
        raise ValueError("must not contain a lone surrogate")
    return value


_LIKE_ASCII: Final = str.maketrans({**dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"), "\u2236": ":"})
"""Hyphens, dashes and the minus sign; the ratio sign. What else only looks different, NFKC knows."""


def folded(text: str) -> str:
    """A text to be compared or read: without what cannot be seen (marks of direction, joiners), every hyphen and dash
    `-`, wide letters and digits plain, letters composed. What is stored is what was said."""
    visible = "".join(char for char in text if unicodedata.category(char) != "Cf")
    return unicodedata.normalize("NFKC", visible.translate(_LIKE_ASCII))


Storable = AfterValidator(require_storable)

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$")]
"""An id that was made by somebody else: an agent's, or Vapi's. 1 to 64 of ``A-Z a-z 0-9 . _ : -``."""
Sha256Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
TraceId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
