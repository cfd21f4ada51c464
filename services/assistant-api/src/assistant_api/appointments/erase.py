"""Erasing a patient from a clinic: every appointment of a phone number, and a line that proves it without naming it."""

import hashlib
import os
import re
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg

from assistant_api.appointments.access import BECOME_CALENDAR

_ORGANIZATION: Final = "SELECT true FROM organizations WHERE id = $1"
_ERASE: Final = "DELETE FROM appointments WHERE org_id = $1 AND phone_key = ltrim($2, '+0')"

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


def normal_phone(text: str) -> str:
    """A phone number without spaces and punctuation, as it is stored; ``ValueError`` where it is none."""
    digits = re.sub(r"[\s().-]", "", text)
    if not re.fullmatch(r"\+?[0-9]{5,15}", digits):
        raise ValueError("the phone number must have 5 to 15 digits, optionally with a leading +")
    return digits


async def erase_phone(url: str, org_id: UUID, phone: str) -> Erased:
    """Delete all appointments of ``phone`` in one organization, whatever their status; safe to repeat.

    Raises :class:`UnknownOrganization`, ``ValueError`` for no phone number, and asyncpg's errors.
    """
    phone = normal_phone(phone)
    connection = await asyncpg.connect(url, timeout=10, command_timeout=60)
    try:
        async with connection.transaction():
            await connection.execute(BECOME_CALENDAR, str(org_id))
            if not await connection.fetchval(_ORGANIZATION, org_id):
                raise UnknownOrganization
            done = await connection.execute(_ERASE, org_id, phone)
    finally:
        await connection.close()
    return Erased(org_id, int(done.removeprefix("DELETE ")), phone_hash(phone, os.urandom(_SALT_BYTES)))


def phone_hash(phone: str, salt: bytes) -> str:
    """The salted hash of a number, made so that trying all numbers is slow; leading `+` and zeros do not count."""
    made = hashlib.scrypt(phone.lstrip("+0").encode(), salt=salt, n=_SCRYPT_COST, r=8, p=1, dklen=32)
    return f"scrypt:{salt.hex()}:{made.hex()}"
