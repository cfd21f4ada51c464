"""Brings the database to this release's schema."""

from typing import Final

from zerotouch_platform import migrate as platform
from zerotouch_platform.migrate import MigrationFailed

__all__ = ["MigrationFailed", "migrate"]

LOCK: Final = 7310
"""Advisory lock key of a migration. ``append`` takes 7311."""


async def migrate(database_url: str) -> None:
    """Apply every migration that the database lacks; returns at once where there is none.

    ``database_url`` names the owner of the database, which needs CREATEROLE for the very first run. Raises what
    :func:`zerotouch_platform.migrate.migrate` raises.
    """
    await platform.migrate(database_url, "tool_sync", lock=LOCK)
