"""Is the database there, and does it have this release's schema?"""

from importlib.resources import files
from typing import Final

import asyncpg

from tool_sync import db
from tool_sync.db import Pool
from zerotouch_platform.postgres.errors import meaning_of
from zerotouch_platform.postgres.pool import ACQUIRE_SECONDS

_APPLIED: Final = "SELECT version FROM schema_migrations"


async def database_problem(pool: Pool) -> str | None:
    """Why the database cannot be worked with now, in words for an operator; None where it can."""
    try:
        rows = await pool.fetch(_APPLIED, timeout=ACQUIRE_SECONDS)
    except asyncpg.UndefinedTableError:
        rows = []
    except db.WAITED_OUT_ERRORS as error:
        return meaning_of(error)
    missing = sorted(_of_this_release() - {row["version"] for row in rows})
    return f"migrations are missing: {', '.join(missing)}; run `tool-sync migrate`" if missing else None


def _of_this_release() -> set[str]:
    """The versions, the numbers that the files' names begin with. A database may well be ahead of a release."""
    folder = files("tool_sync") / "migrations"
    return {file.name.split("_", 1)[0] for file in folder.iterdir() if file.name.endswith(".sql")}
