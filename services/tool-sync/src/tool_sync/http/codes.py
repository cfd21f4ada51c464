"""The codes of addresses that need no token: 32 random bytes, in base64 without its padding."""

import base64
import os
from typing import Final

CODE_BYTES: Final = 32
_CHARACTERS: Final = 43


def new_code() -> tuple[bytes, str]:
    """A code, and as it stands in an address."""
    code = os.urandom(CODE_BYTES)
    return code, base64.urlsafe_b64encode(code).decode().rstrip("=")


def code_of(text: str) -> bytes | None:
    """The code of an address; None where it is none."""
    if len(text) != _CHARACTERS or not text.isascii():
        return None
    try:
        found = base64.b64decode(f"{text}=", altchars=b"-_", validate=True)
    except ValueError:
        return None
    return found if len(found) == CODE_BYTES else None
