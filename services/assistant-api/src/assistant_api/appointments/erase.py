"""Erasing a patient from a clinic: every appointment of a phone number, and a line that proves it without naming it."""

import hashlib
import os
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg

from assistant_api.appointments.access import BECOME_CALENDAR
from assistant_api.appointments.clinic import country_of_clinic
from assistant_api.appointments.phones import Phone, keys_of, read

_ORGANIZATION: Final = "SELECT country, time_zone FROM organizations WHERE id = $1"
_ALL: Final = "SELECT id, patient_phone, phone_e164 FROM appointments WHERE org_id = $1"
_ERASE: Final = "DELETE FROM appointments WHERE org_id = $1 AND id = ANY($2::uuid[])"

_SALT_BYTES: Final = 16
_SCRYPT_COST: Final = 2**14


class UnknownOrganization(Exception):
    """There is no organization with this id."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What was done. ``phone_hash`` is `scrypt:salt:hash` in hex: who has the number can check it, nobody can read it
    out of it by trying all numbers in a reasonable time."""

    org_id: UUID
    appointments: int
    phone_hash: str


async def erase_phone(url: str, org_id: UUID, said: str) -> Erased:
    """Delete all appointments of a phone number in one organization, whatever their status; safe to repeat.

    The number is read and compared as in a call. Raises :class:`UnknownOrganization`, ``ValueError`` for no phone
    number, and asyncpg's errors.
    """
    connection = await asyncpg.connect(url, timeout=10, command_timeout=60)
    try:
        async with connection.transaction():
            await connection.execute(BECOME_CALENDAR, str(org_id))
            clinic = await connection.fetchrow(_ORGANIZATION, org_id)
            if clinic is None:
                raise UnknownOrganization
            country = country_of_clinic(clinic["country"], clinic["time_zone"])
            phone = read(said, country)
            if phone is None:
                raise ValueError(
                    "this is no phone number; give its digits, with country code where it is a foreign one"
                )
            theirs = await _appointments_of(connection, org_id, phone, country)
            await connection.execute(_ERASE, org_id, theirs)
    finally:
        await connection.close()
    return Erased(org_id, len(theirs), phone_hash(phone.key, os.urandom(_SALT_BYTES)))


async def _appointments_of(
    connection: "asyncpg.Connection[asyncpg.Record]", org_id: UUID, phone: Phone, country: str | None
) -> list[UUID]:
    return [
        row["id"]
        async for row in connection.cursor(_ALL, org_id, prefetch=1000)
        if phone.is_one_of(keys_of(row["patient_phone"], row["phone_e164"], country))
    ]


def phone_hash(phone: str, salt: bytes) -> str:
    """The salted hash of a number (E.164 where that is known), made so that trying all numbers is slow; leading `+` and
    zeros do not count."""
    made = hashlib.scrypt(phone.lstrip("+0").encode(), salt=salt, n=_SCRYPT_COST, r=8, p=1, dklen=32)
    return f"scrypt:{salt.hex()}:{made.hex()}"
