"""The words that the language model hears: one line, what is so now, and what to say or do next.

Nothing of what a caller said is in them, because they are kept to answer repeats: only times and the clinic's own
services.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, assert_never

from assistant_api.appointments.calendar import Clinic
from assistant_api.appointments.outcomes import Booked, Cancelled, ChangeRefused, Outcome, Reason, Rescheduled
from assistant_api.tool_calls.payload import ToolCall

CHARACTERS_MAX: Final = 1500
NAME_CHARACTERS_MAX: Final = 64
SERVICES_SHOWN_MAX: Final = 20
EARLIER_SHOWN_MAX: Final = 5

_DONE: Final = frozenset({"booked", "cancelled", "rescheduled"})
_REASONS: Final[dict[Reason, str]] = {
    "taken": "Not booked: this time is taken.",
    "closed": "Not booked: the clinic is closed at this time.",
    "in_the_past": "Not done: this time is in the past.",
    "too_far_ahead": "Not booked: this day is too far ahead.",
    "not_a_slot": "Not booked: appointments do not start at this time.",
    "no_such_time": "Not booked: the clocks are put forward that day, so this time does not exist.",
    "unknown_service": "Not booked: the clinic does not offer this service.",
    "no_number": "Not booked: this is no phone number under which the clinic could call back. Ask for the whole number,"
    " with area code and, if it is a foreign one, country code, as in +49 151 23456789, and call the tool again.",
    # One sentence for every miss (ADR 25): another one for a wrong name or day would tell who has an appointment.
    "no_appointment": "Not done: no appointment was found that this caller can change. Check with the caller what was"
    " said, once; if it stays so, say that the clinic will call back.",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered to a call. ``failed`` makes it an `error`: the call was not understood, rather than refused."""

    code: str
    text: str
    failed: bool = False

    @property
    def is_done(self) -> bool:
        """Whether what was asked for is so: a refusal is an answer, too."""
        return self.code in _DONE

    def as_result(self, call: ToolCall) -> dict[str, Any]:
        """The entry of `results`, with the call's id exactly as it came."""
        key = "error" if self.failed else "result"
        return {"toolCallId": call.id, "name": call.name[:NAME_CHARACTERS_MAX], key: self.text}


UNAVAILABLE: Final = Answer(
    "unavailable",
    "The calendar does not answer, so it is not known whether anything was done. Say that the clinic will call back.",
    failed=True,
)
TOO_MANY: Final = Answer("too_many", "Too many tool calls at once, so nothing was done for this one.", failed=True)


ERASED: Final = Answer(
    "erased",
    "This was answered before, and what was answered is not kept any more. Say that the clinic will call back.",
    failed=True,
)
"""What a kept answer becomes when its patient is erased: a late repeat of the call must not book anew."""


def unknown_clinic() -> Answer:
    """The answer to a call for an organization that does not exist, or not any more."""
    return Answer("unknown_clinic", "This clinic does not take appointments here, so nothing was done.", failed=True)


def answer_of(outcome: Outcome, clinic: Clinic) -> Answer:
    """An outcome in words, with times on the clinic's clock."""
    match outcome:
        case Booked(start, _, already, earlier):
            booked = f"{'Already booked' if already else 'Booked'} for {_time(start, clinic)}."
            return Answer("booked", one_line(f"{booked} {_earlier(earlier, clinic)}"))
        case Cancelled(start, _):
            return Answer("cancelled", f"Cancelled: the appointment of {_time(start, clinic)}.")
        case Rescheduled(start, _):
            return Answer("rescheduled", f"Moved: the appointment is now on {_time(start, clinic)}.")
        case ChangeRefused(reason, offers, services):
            parts = [_REASONS[reason], _services(services), _offers(reason, offers, clinic)]
            return Answer(reason, one_line(" ".join(part for part in parts if part)))
        case _:
            assert_never(outcome)


def one_line(text: str) -> str:
    """Text as Vapi takes it: no line breaks, and of a length that a model reads."""
    return " ".join(text.split())[:CHARACTERS_MAX]


def _earlier(starts: tuple[datetime, ...], clinic: Clinic) -> str:
    if not starts:
        return ""
    times = "; ".join(_time(start, clinic) for start in starts[:EARLIER_SHOWN_MAX])
    return (
        f"What was booked for this patient earlier in this call still stands: {times}. Say so, and that it has to be"
        " cancelled if it is not wanted."
    )


def _services(services: Iterable[str]) -> str:
    shown = tuple(services)[:SERVICES_SHOWN_MAX]
    return f"It offers: {', '.join(shown)}." if shown else ""


def _offers(reason: Reason, offers: tuple[datetime, ...], clinic: Clinic) -> str:
    if reason in {"no_number", "no_appointment"}:
        return ""
    if not offers:
        return "There is no free time in the next weeks. Say that the clinic will call back."
    return f"Next free: {'; '.join(_time(start, clinic) for start in offers)}. Offer these to the caller."


def _time(start: datetime, clinic: Clinic) -> str:
    # Not strftime's names of days: they follow the process's locale.
    return f"{clinic.local(start):%Y-%m-%d at %H:%M}"
