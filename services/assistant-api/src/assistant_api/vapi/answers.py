"""What can come of a call to Vapi. Values, not exceptions: every caller has to say what it does about each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zerotouch_contracts.errors import ErrorCode

Document = Mapping[str, Any]
"""An assistant as Vapi returns it: raw, with every field that we do not know."""


@dataclass(frozen=True, slots=True)
class Found:
    """A 2xx with a readable assistant."""

    assistant: Document


@dataclass(frozen=True, slots=True)
class Gone:
    """404: there is no such assistant for our key."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A 4xx that repeating does not mend; ``reasons`` are Vapi's messages, at least one."""

    status: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Later:
    """Nothing was done; it may be tried again. ``wait_seconds`` is what Vapi asked for, or 0.

    ``nobodys``: it is the key's trouble (paused, no requests left in this minute), and no attempt of the asker's.
    """

    code: ErrorCode
    wait_seconds: float = 0
    nobodys: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """A write whose answer is missing or unreadable: it may or may not have happened, and may still happen."""

    code: ErrorCode = ErrorCode.VAPI_ANSWER_UNKNOWN


Read = Found | Gone | Refused | Later
Write = Found | Gone | Refused | Later | Unknown
