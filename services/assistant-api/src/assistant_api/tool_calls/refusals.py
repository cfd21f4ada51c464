"""What is wrong with a tool call's arguments, in words for a language model that must go on. Pure.

A refusal says what is wrong and what is right, by example. The caller is asked only for what a caller knows: a day, a
name, a number; how a day is written is the model's business. Nothing that was filled in is repeated.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

FaultKind = Literal["missing", "not_text", "too_long", "wrong_form", "no_such_day", "unreadable", "template_marks"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one argument, named as on the wire."""

    argument: str
    kind: FaultKind


@dataclass(frozen=True, slots=True)
class _Argument:
    """How an argument is spoken of: what the caller knows, how it is written, an example."""

    known: str
    form: str
    example: str


_DAY_FORM: Final = "give the day as YYYY-MM-DD, for example 2026-12-03"
_TIME_FORM: Final = "give the time on the 24-hour clock as HH:MM, for example 09:30, or 14:30 for half past two"

ARGUMENTS: Final[Mapping[str, _Argument]] = {
    "patientName": _Argument("the patient's full name", "give the name alone", "Anna Schmidt"),
    "patientPhone": _Argument("the phone number", "give the number alone, with all its digits", "+49 30 1234567"),
    "service": _Argument("what the appointment is for", "give the service in a few words", "Check-up"),
    "appointmentDate": _Argument("the day of the appointment", _DAY_FORM, "2026-12-03"),
    "appointmentTime": _Argument("the time of the appointment", _TIME_FORM, "14:30"),
    "newDate": _Argument("the new day", _DAY_FORM, "2026-12-03"),
    "newTime": _Argument("the new time", _TIME_FORM, "14:30"),
    "notes": _Argument("anything else", "say it in fewer words, or leave it out", "Afraid of needles"),
}
"""Every argument of every tool. What the form of a day or a time is, is the model's to know."""

_SENTENCES: Final[Mapping[FaultKind, str]] = {
    "missing": "{name} is missing: ask the caller for {known} and {form}",
    "not_text": '{name}: give it as text in quotation marks, for example "{example}"',
    "too_long": "{name} is too long: {form}",
    "wrong_form": "{name}: {form}; ask the caller only if it is not clear which one is meant",
    "no_such_day": "{name}: the calendar does not have this day; ask the caller for {known} again and {form}",
    "unreadable": "{name} has characters that cannot be kept: write it again without them",
    "template_marks": "{name}: write it again without double curly brackets, and without one beside a percent sign",
}

_KINDS: Final[Mapping[str, FaultKind]] = {
    "missing": "missing",
    "blank": "missing",
    "string_too_short": "missing",
    "string_type": "not_text",
    "date_type": "not_text",
    "string_too_long": "too_long",
    "wrong_form": "wrong_form",
    "string_pattern_mismatch": "wrong_form",
    "no_such_day": "no_such_day",
    "unreadable": "unreadable",
    "string_unicode": "unreadable",
}
"""Kinds of pydantic's errors and of `zerotouch_contracts.filled_in`."""


def fault_of(error: Mapping[str, Any]) -> Fault:
    """The fault that an item of pydantic's `ValidationError.errors()` means."""
    return Fault(str(error["loc"][0]), _KINDS[error["type"]])


def words_for(fault: Fault) -> str:
    """One sentence without its full stop."""
    argument = ARGUMENTS[fault.argument]
    return _SENTENCES[fault.kind].format(
        name=fault.argument, known=argument.known, form=argument.form, example=argument.example
    )


def explained(faults: Iterable[Fault]) -> str:
    """All faults, and what to do then."""
    sentences = ". ".join(words_for(fault) for fault in faults)
    return f"Nothing was done. {sentences}. Then call the tool again with all values."
