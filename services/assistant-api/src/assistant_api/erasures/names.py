"""Which appointments are one patient's: those of a phone number, in every form in which it was said.

An appointment names its patient by its number, so all appointments of that number go with it: of one mother both
children's. Only where its number cannot be read, it stands for itself.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from assistant_api.appointments.clinic import country_of_clinic
from assistant_api.appointments.phones import keys_of, read
from zerotouch_platform.cooperative import yielding_every
from zerotouch_platform.postgres.pool import Connection

_ORGANIZATION: Final = "SELECT country, time_zone FROM organizations WHERE id = $1"
_ONE: Final = "SELECT patient_phone, phone_e164 FROM appointments WHERE org_id = $1 AND id = $2"
# All of the clinic: which number a row has depends on the country that is known today.
_ALL: Final = """
SELECT id, patient_phone, phone_e164, created_at FROM appointments
WHERE org_id = $1 AND ($2::timestamptz IS NULL OR created_at < $2) AND id <> ALL ($3::uuid[])
"""
ROWS_AT_ONCE: Final = 100
"""Some milliseconds of reading numbers."""


class UnknownOrganization(Exception):
    """There is no organization with this id."""


class UnknownAppointment(Exception):
    """The organization has no appointment with this id."""


class NoNumber(ValueError):
    """What was given is no phone number."""

    def __init__(self) -> None:
        super().__init__("this is no phone number; give its digits, with country code where it is a foreign one")


@dataclass(frozen=True, slots=True)
class ByPhone:
    """A patient, as whoever asks says the number."""

    said: str


@dataclass(frozen=True, slots=True)
class ByAppointment:
    """A patient of one appointment."""

    id: UUID


Patient = ByPhone | ByAppointment


@dataclass(frozen=True, slots=True)
class Appointment:
    """An appointment, when it was made, and the names of its number (`phones.keys_of`); none where it is unreadable."""

    id: UUID
    names: frozenset[str]
    made_at: datetime


async def country_of(connection: Connection, org_id: UUID) -> str | None:
    """By which country's plan the clinic's numbers are read. Raises :class:`UnknownOrganization`."""
    clinic = await connection.fetchrow(_ORGANIZATION, org_id)
    if clinic is None:
        raise UnknownOrganization
    return country_of_clinic(clinic["country"], clinic["time_zone"])


async def names_of(connection: Connection, org_id: UUID, patient: Patient, country: str | None) -> frozenset[str]:
    """The names of a patient's number; none where an appointment's cannot be read.

    Raises :class:`NoNumber` and :class:`UnknownAppointment`.
    """
    if isinstance(patient, ByPhone):
        phone = read(patient.said, country)
        if phone is None:
            raise NoNumber
        return frozenset(name for name in (phone.e164, phone.digits) if name is not None)
    row = await connection.fetchrow(_ONE, org_id, patient.id)
    if row is None:
        raise UnknownAppointment
    return keys_of(row["patient_phone"], row["phone_e164"], country)


async def appointments_of(
    connection: Connection,
    org_id: UUID,
    country: str | None,
    *,
    before: datetime | None = None,
    but: Collection[UUID] = (),
) -> Sequence[Appointment]:
    """The clinic's appointments, of those that were made earlier than ``before``, without those that are known."""
    rows = await connection.fetch(_ALL, org_id, before, list(but))
    return [
        Appointment(row["id"], keys_of(row["patient_phone"], row["phone_e164"], country), row["created_at"])
        async for row in yielding_every(ROWS_AT_ONCE, rows)
    ]


def is_of(patient: Patient, names: Collection[str], one: Appointment) -> bool:
    """Whether an appointment is the patient's: it has one of the number's names, or is the very one."""
    return not one.names.isdisjoint(names) or (isinstance(patient, ByAppointment) and one.id == patient.id)
