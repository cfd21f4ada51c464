"""Which installation this database belongs to.

A copied database (staging made from production) must not touch the other's assistants at Vapi: the id in the settings
and the id in the database have to be the same.
"""

from dataclasses import dataclass
from uuid import UUID

import asyncpg

from assistant_api.db import Connection


class ForeignDatabase(Exception):
    """The database was made by another installation; the service must not run with it."""


@dataclass(frozen=True, slots=True)
class Installation:
    """The installation's id, and the id of the log that its messages form (header `log_id`)."""

    installation_id: UUID
    log_id: UUID


async def claim_installation(connection: Connection | asyncpg.Connection, installation_id: UUID) -> Installation:
    """The row of this database, made with ``installation_id`` at the first start.

    Raises :class:`ForeignDatabase` where the row has another id.
    """
    await connection.execute(
        "INSERT INTO installation (installation_id) VALUES ($1) ON CONFLICT DO NOTHING", installation_id
    )
    row = await connection.fetchrow("SELECT installation_id, log_id FROM installation")
    assert row is not None
    if row["installation_id"] != installation_id:
        raise ForeignDatabase(
            f"the database belongs to installation {row['installation_id']}, but INSTALLATION_ID is {installation_id};"
            " if this database is a copy that shall live on its own, empty the table installation first"
        )
    return Installation(row["installation_id"], row["log_id"])
