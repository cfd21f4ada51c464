"""What can come of a call to Vapi. Values, not exceptions: every caller has to say what it does about each.

What a status means is decided by ``zerotouch_platform``, for both services.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from assistant_api.settings import Settings
from zerotouch_contracts.errors import CATALOGUE, ErrorCode
from zerotouch_platform.vapi.answers import CODES, Meaning, field_paths, resource_of
from zerotouch_platform.vapi.exchange import Failed

_uniform: Final = random.uniform

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
    """What repeating does not mend: a 4xx, or an assistant too large to be read (``code``).

    ``reasons`` are Vapi's messages, at least one, for the clinic only; a log may have ``fields``.
    """

    status: int
    reasons: tuple[str, ...]
    code: ErrorCode = ErrorCode.ASSISTANT_REFUSED

    @property
    def fields(self) -> tuple[str, ...]:
        """The paths of the fields that the reasons name."""
        return field_paths(self.reasons)


@dataclass(frozen=True, slots=True)
class Later:
    """Nothing was done; it may be tried again. ``wait_seconds`` is what Vapi asked for, or 0.

    ``counts_as_attempt``: false where the key is in trouble (paused, no requests left in this minute), or a release is
    under way: the asker has tried nothing that failed.
    """

    code: ErrorCode
    wait_seconds: float = 0
    counts_as_attempt: bool = True

    def delay_seconds(self, settings: Settings, failures: int) -> float:
        """Full jitter below a bound that doubles, for ever; never less than Vapi asked for."""
        if not self.counts_as_attempt:  # while the key is paused nothing is claimed
            return self.wait_seconds
        bound = min(settings.retry_seconds_max, settings.retry_seconds_min * 2 ** min(failures, 16))
        return max(_uniform(0, bound), self.wait_seconds)


@dataclass(frozen=True, slots=True)
class Unknown:
    """A write whose answer is missing or unreadable: it may or may not have happened, and may still happen."""

    code: ErrorCode = ErrorCode.VAPI_ANSWER_UNKNOWN


Read = Found | Gone | Refused | Later
Write = Found | Gone | Refused | Later | Unknown

REASON_CHARACTERS_MAX: Final = 500


def of_failed(failed: Failed) -> Write:
    """What an exchange that failed means."""
    match failed.meaning:
        case Meaning.GONE:
            return Gone()
        case Meaning.UNKNOWN | Meaning.LOST:
            return Unknown()
        case Meaning.REFUSED | Meaning.NO_ACCESS:
            assert failed.status is not None
            return Refused(failed.status, _reasons(failed.status, failed.words.messages))
        case meaning:
            return Later(CODES[meaning], failed.retry_after_seconds or 0, counts_as_attempt=not meaning.of_the_key)


def of_assistant(body: object) -> Found | None:
    """A success with an assistant; None where it is none."""
    return None if (assistant := resource_of(body)) is None else Found(assistant)


def too_large(*, write: bool) -> Write:
    """A success that is too long to be read. A write did happen: it is looked up, and that read says what is wrong."""
    if write:
        return Unknown(ErrorCode.VAPI_ANSWER_INVALID)
    return Refused(200, (_TOO_LARGE,), ErrorCode.ASSISTANT_TOO_LARGE)


_TOO_LARGE: Final = " ".join(
    (CATALOGUE[ErrorCode.ASSISTANT_TOO_LARGE].meaning, CATALOGUE[ErrorCode.ASSISTANT_TOO_LARGE].what_to_do)
)


def _reasons(status: int, messages: Sequence[str]) -> tuple[str, ...]:
    shown = tuple(message[:REASON_CHARACTERS_MAX] for message in messages)
    return shown or (f"Vapi answered with status {status} and no reason",)
