"""Whose database this is: the table ``installation``, one row in both services.

A copied database (staging made from production) must not touch what the other one has at Vapi: the id in the settings
and the id in the database have to be the same.
"""

from typing import Final
from uuid import UUID

from zerotouch_platform.postgres.pool import Connection, Pool

_CLAIM: Final = "INSERT INTO installation (installation_id) VALUES ($1) ON CONFLICT DO NOTHING"
_READ: Final = "SELECT installation_id FROM installation"


class ForeignInstallation(Exception):
    """The database belongs to another installation: it was copied, or a setting is wrong. Fields: expected, found."""

    def __init__(self, expected: UUID, found: UUID, refusal: str) -> None:
        super().__init__(refusal.format(expected=expected, found=found))
        self.expected, self.found = expected, found


async def claim_installation(connection: Connection, installation_id: UUID, *, refusal: str) -> None:
    """Make this database ``installation_id``'s at the first start.

    Raises :class:`ForeignInstallation` where it is another's; ``refusal`` is its text, with ``{expected}`` and
    ``{found}``.
    """
    await connection.execute(_CLAIM, installation_id)  # of two first starts at once, one compares with the other's
    found = await read_installation(connection)
    if found != installation_id:
        raise ForeignInstallation(installation_id, found, refusal)


async def read_installation(connection: "Connection | Pool") -> UUID:
    """The id that the first start of the service gave it."""
    installation_id: UUID = await connection.fetchval(_READ)
    return installation_id
