"""A database that holds a golden log, row by row as it was stored."""

import json
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from ....golden.reading import Row

PROJECTIONS = (
    "organizations", "fleet_tools", "org_tools", "assistants", "pending_syncs", "org_tool_settings", "tool_refusals",
    "org_tool_pins", "org_change_windows", "tool_drifts",
)  # fmt: skip

_INSERT = """
INSERT INTO events (position, stream, version, event_id, org_id, type, schema, data, meta, hash, recorded_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""


# Golden logs have the hashes of form 1; what is appended to them would have form 2.
_CHANGE_OF_FORM = (
    "ALTER TABLE hash_forms DISABLE TRIGGER hash_forms_are_final",
    "UPDATE hash_forms SET first_position = $1 + 1, origin = older_digest('', 0, $1)",
)


async def restore(admin_url: str, rows: Sequence[Row], *, page: int) -> None:
    """Insert the rows, and fold each projection over ranges of ``page`` positions."""
    connection = await asyncpg.connect(admin_url)
    try:
        await connection.executemany(_INSERT, [_values(row) for row in rows])
        for name in PROJECTIONS:
            for start in range(0, len(rows), page):
                await connection.execute(f"SELECT fold_{name}($1, $2)", start, min(start + page, len(rows)))
        await connection.execute("UPDATE projections SET position = $1", len(rows))
        turn_off, change = _CHANGE_OF_FORM
        await connection.execute(turn_off)
        await connection.execute(change, len(rows))
    finally:
        await connection.close()


def _values(row: Row) -> tuple[object, ...]:
    return (
        row["position"], row["stream"], row["version"], UUID(row["event_id"]),
        UUID(row["org_id"]) if row["org_id"] else None, row["type"], row["schema"], json.dumps(row["data"]),
        json.dumps(row["meta"]), bytes.fromhex(row["hash"]), datetime.fromisoformat(row["recorded_at"]),
    )  # fmt: skip
