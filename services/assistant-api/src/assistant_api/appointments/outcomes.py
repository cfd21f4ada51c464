"""What became of a wish: values, none of which holds patients' data. Who changed an appointment says which one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from assistant_api.appointments.calendar import WhyNot

Reason = WhyNot | Literal["taken", "unknown_service", "no_number", "no_appointment"]


@dataclass(frozen=True, slots=True)
class Booked:
    """There is an appointment. ``already``: it was there before, made in the same phone call for the same number.

    ``earlier``: starts of the patient's other appointments of the same phone call, which stand.
    """

    start: datetime
    appointment_id: UUID
    already: bool = False
    earlier: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The appointment that began at ``start`` is cancelled and its slot free."""

    start: datetime
    appointment_id: UUID


@dataclass(frozen=True, slots=True)
class Rescheduled:
    """The appointment begins at ``start`` now."""

    start: datetime
    appointment_id: UUID


@dataclass(frozen=True, slots=True)
class ChangeRefused:
    """Nothing was changed. ``offers`` are free slots, ``services`` what the clinic has where that is the question."""

    reason: Reason
    offers: tuple[datetime, ...] = ()
    services: tuple[str, ...] = ()


Outcome = Booked | Cancelled | Rescheduled | ChangeRefused
