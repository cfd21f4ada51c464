"""Brings the database to the newest schema, and its rows with it."""

from typing import Final

from assistant_api.appointments.known import fill_in_numbers
from zerotouch_platform import migrate as platform
from zerotouch_platform.migrate import MigrationFailed
from zerotouch_platform.postgres.pool import Session

__all__ = ["MigrationFailed", "migrate"]

ADVISORY_LOCK: Final = 0x7A74_0001
"""Held for the whole run, so that replicas that start together migrate one after another."""


async def migrate(url: str) -> str:
    """Apply what is not applied yet, fill in the phone numbers that can be read, and return what was done as text.

    ``url`` is the database of the owner role. Raises what :func:`zerotouch_platform.migrate.migrate` raises.
    """
    return await platform.migrate(url, "assistant_api", lock=ADVISORY_LOCK, then=_fill_in)


async def _fill_in(connection: Session) -> str:
    filled = await fill_in_numbers(connection)
    return f"Phone numbers read: {filled}" if filled else ""
