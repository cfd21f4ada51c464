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
    """A 4xx that repeating does not mend, or an assistant that is too large; ``reasons`` has at least one.

    The reasons may be Vapi's own words: they are for the clinic that asked, and for no log, event or span. ``fields``
    are the fields that they name.
    """

    status: int
    reasons: tuple[str, ...]
    code: ErrorCode = ErrorCode.ASSISTANT_REFUSED
    fields: tuple[str, ...] = ()


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
    wait_seconds: float = 0


Read = Found | Gone | Refused | Later
Write = Found | Gone | Refused | Later | Unknown
