"""What makes two requests the same: conversation, tool-call id, tool, and what was asked for (ADR 23).

Models number their calls anew in every message (`call_0`), so an id alone identifies nothing; and gateways put a
thousand characters of base64 into one, so nothing is refused for the form of its id. Ids of a plain form are stored as
they are, for whoever looks a phone call up; all others as a hash that no plain id can be equal to.
"""

import hashlib
import hmac
import json
import re
from typing import Any, Final

Id = str | int | float
"""An id as it came. It is given back as it came, too."""

NOBODY_KNOWS: Final = ""
"""The conversation of a request that names none."""

REPEAT_SECONDS: Final = 60
"""How long an equal request without a conversation is a repeat. Later it may be another caller's."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._:-]{0,127}")
_UNREADABLE: Final = "unreadable"


def stored_id(given: Id) -> str:
    """A tool-call id as it is stored: itself, or `#` and a hash. Two ids are stored alike only where they are equal."""
    if isinstance(given, str):
        return given if _PLAIN.fullmatch(given) else f"#{_hash('text', given)}"
    return f"#{_hash('number', repr(given))}"


def stored_conversation(kind: str, given: Id) -> str:
    """A conversation as it is stored. The id of a chat is never that of a phone call, even if they are equal."""
    return stored_id(given) if kind == "call" else f"#{_hash(kind, stored_id(given))}"


def request_secret(vapi_api_key: str) -> bytes:
    """The key of request hashes. Arguments are patients' data, and few enough to be guessed: without a secret that is
    not in the database, whoever has its rows could try all phone numbers."""
    return hashlib.sha256(f"zerotouch tool call requests {vapi_api_key}".encode()).digest()


def request_hash(secret: bytes, tool: str, kind: str, asked: Any) -> str:
    """The keyed hash of what was asked for: JSON values, compared as values (order and spelling do not matter).

    ``kind`` keeps apart what was understood and what was not: the same words may be either, in two releases.
    """
    try:
        text = json.dumps(asked, sort_keys=True, separators=(",", ":"))
    except (ValueError, RecursionError):  # nested too deeply: its answer says so, whatever is in it
        text = _UNREADABLE
    return hmac.new(secret, json.dumps([tool, kind, text]).encode("ascii"), hashlib.sha256).hexdigest()


def _hash(*parts: str) -> str:
    # A list in JSON has one reading only, and escapes what UTF-8 cannot say (a lone surrogate in an id).
    return hashlib.sha256(json.dumps(parts).encode("ascii")).hexdigest()
