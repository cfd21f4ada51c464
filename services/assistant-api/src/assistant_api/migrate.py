"""Brings the database to the newest schema."""

from typing import Final

from zerotouch_platform import migrate as platform
from zerotouch_platform.migrate import MigrationFailed

__all__ = ["MigrationFailed", "migrate"]

ADVISORY_LOCK: Final = 0x7A74_0001
"""Held for the whole run, so that replicas that start together migrate one after another."""


async def migrate(url: str) -> str:
    """Apply what is not applied yet and return dbmate's output.

    ``url`` is the database of the owner role. Raises what :func:`zerotouch_platform.migrate.migrate` raises.
    """
    return await platform.migrate(url, "assistant_api", lock=ADVISORY_LOCK)
