"""Whose appointment it is: a caller names one, and it is theirs or it is not (ADR 25). Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from assistant_api.appointments.patients import patient_key
from assistant_api.appointments.phones import Phone


@dataclass(frozen=True, slots=True)
class Claim:
    """What a caller says of an appointment: its number, its day, and the name on it, which version 1 does not ask for.

    ``caller`` is the number that the call comes from, None where that is withheld. ``scope`` is where misses count.
    """

    phone: Phone | None
    day: date
    name: str | None
    caller: Phone | None
    scope: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """An appointment of that day; ``keys`` name its phone number (`phones.keys_of`)."""

    id: UUID
    start: datetime
    keys: frozenset[str]
    patient: str


def claimed(claim: Claim, candidates: Sequence[Candidate]) -> Candidate | None:
    """The appointment that the caller may change; None where there is none, or where nothing tells several apart.

    It has the number that was said, and either that is the caller's own, or the name on it was said as well.
    """
    name = None if claim.name is None else patient_key(claim.name)
    named = [one for one in candidates if patient_key(one.patient) == name]
    theirs = [one for one in candidates if _has(one, claim.phone) and (one in named or _has(one, claim.caller))]
    if len(theirs) > 1:  # one mother's two children
        theirs = [one for one in theirs if one in named]
    return theirs[0] if len(theirs) == 1 else None


def _has(candidate: Candidate, phone: Phone | None) -> bool:
    return phone is not None and phone.is_one_of(candidate.keys)
