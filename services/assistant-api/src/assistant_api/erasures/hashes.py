"""Keyed hashes: what is kept of an erased patient where no name and no number may be.

HMAC-SHA256 over the clinic and a name of the number, or the id of an appointment without one. Numbers are few enough to
be tried out, so the key is not in the database, nor on the topic.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from assistant_api.erasures.names import Appointment
from assistant_api.settings.commands import ErasureSettings


@dataclass(frozen=True, slots=True)
class ErasureKey:
    """A key. ``id`` says which one made a hash, and nothing of the key."""

    secret: bytes

    @classmethod
    def of(cls, given: str) -> Self:
        """The key that a setting's text is."""
        return cls(hashlib.sha256(f"zerotouch erasures {given}".encode()).digest())

    @property
    def id(self) -> str:
        """16 hex digits."""
        return hashlib.sha256(b"zerotouch erasure key " + self.secret).hexdigest()[:16]

    def of_names(self, org_id: UUID, names: Iterable[str]) -> list[str]:
        """The hashes of names of a number, in the order of the names."""
        return [self._hash(org_id, "number", name) for name in names]

    def of_appointment(self, org_id: UUID, appointment_id: UUID) -> str:
        """The hash that stands for one appointment."""
        return self._hash(org_id, "appointment", str(appointment_id))

    def of_all(self, org_id: UUID, one: Appointment) -> list[str]:
        """Every hash that an appointment answers to."""
        return [*self.of_names(org_id, one.names), self.of_appointment(org_id, one.id)]

    def _hash(self, org_id: UUID, kind: str, name: str) -> str:
        text = json.dumps([str(org_id), kind, name])
        return hmac.new(self.secret, text.encode("ascii"), hashlib.sha256).hexdigest()


def keys_of_settings(settings: ErasureSettings) -> tuple[ErasureKey, ...]:
    """The keys that are known, the newest first: that one makes new hashes."""
    if settings.erasure_keys is None:
        return (ErasureKey.of(settings.vapi_api_key.get_secret_value()),)
    given = settings.erasure_keys.get_secret_value().split(",")
    return tuple(ErasureKey.of(one.strip()) for one in given)
