"""String types for everything that comes from outside.

pydantic accepts U+0000 and, in its python mode, lone surrogates; PostgreSQL refuses both (SQLSTATE 22P05, 22021).
A value that passes here can be stored, hashed and published.
"""

import re
import unicodedata
from typing import Annotated, Final
from uuid import UUID

from pydantic import AfterValidator, StringConstraints


def require_storable(value: str) -> str:
    """Return ``value``, or raise ``ValueError`` where it holds U+0000 or a lone surrogate."""
    if "\x00" in value:
        raise ValueError("must not contain U+0000")
    try:
        value.encode()
    except UnicodeEncodeError:  # whose words repeat the text
        raise ValueError("must not contain a lone surrogate") from None
    return value


_DASHES: Final = "\u02d7\u2043\u2212\u23af\u23e4\u2500\u2501\u2796"
"""Signs that stand for a hyphen and are no dashes by category: minus signs, a bullet, lines of tables."""
_LIKE_ASCII: Final = str.maketrans({**dict.fromkeys(_DASHES, "-"), **dict.fromkeys("\u02d0\u2236\ua789", ":")})
LETTERS_LIKE_HYPHENS: Final = "\u30fc\u3161\u1173"
"""Letters of two keyboards, typed for a hyphen where digits stand: the long vowel mark (libphonenumber takes it for
punctuation, geolonia/normalize-japanese-addresses#131 and groonga#1543 have it in numbers) and Korean EU, which NFKC
makes another. In a word each is a letter."""
_BETWEEN_DIGITS: Final = re.compile(rf"(?<=[0-9])(\s*)[{LETTERS_LIKE_HYPHENS}](?=\s*[0-9])")


def folded(text: str) -> str:
    """A text to be compared or read: without what cannot be seen (marks of direction, joiners), every hyphen and dash
    `-`, wide letters and digits plain, letters composed. What is stored is what was said."""
    visible = "".join(char for char in text if unicodedata.category(char) != "Cf")
    plain = unicodedata.normalize("NFKC", visible).translate(_LIKE_ASCII)
    dashed = "".join("-" if unicodedata.category(char) == "Pd" else char for char in plain)
    return _BETWEEN_DIGITS.sub(r"\1-", dashed)


def searchable(text: str) -> str:
    """A text as a search compares it: folded, and whether letters are capital makes no difference."""
    return folded(text).casefold()


def uuid_of(value: object) -> UUID | None:
    """The UUID that a text is, however it is spelt; None for what is none."""
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


Storable = AfterValidator(require_storable)

_IDENTIFIER: Final = r"^[A-Za-z0-9][A-Za-z0-9._:-]*$"
_IDENTIFIER_CHARACTERS_MAX: Final = 64
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=_IDENTIFIER_CHARACTERS_MAX, pattern=_IDENTIFIER)]
"""An id that was made by somebody else: an agent's, or Vapi's. 1 to 64 of ``A-Z a-z 0-9 . _ : -``."""


def is_identifier(text: str) -> bool:
    """Whether a text has the form of an :data:`Identifier`."""
    return len(text) <= _IDENTIFIER_CHARACTERS_MAX and re.fullmatch(_IDENTIFIER.rstrip("$"), text) is not None


Sha256Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
TraceId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
