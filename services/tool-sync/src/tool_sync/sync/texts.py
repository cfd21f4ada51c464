"""The table ``org_tool_texts``: clinics' own words for their tools, by hash, until the clinic is deleted."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from tool_sync.db import Connection, Pool
from tool_sync.publishing.overlay import Texts

_READ: Final = "SELECT hash, text FROM org_tool_texts WHERE org_id = $1 AND hash = ANY ($2::text[])"

TEXTS: Final = """
CASE WHEN t.overlay = '[]' THEN '{}'::jsonb
     ELSE (SELECT coalesce(jsonb_object_agg(x.hash, x.text), '{}') FROM org_tool_texts x
            WHERE x.org_id = t.org_id AND x.hash IN (SELECT p ->> 'hash' FROM jsonb_array_elements(t.overlay) p)) END
"""
"""Of ``org_tools t``: the texts that its tool was sent with, by hash, as far as they are stored."""


async def read(pool: "Connection | Pool", org_id: UUID, hashes: Sequence[str]) -> Texts:
    """The texts of an org that are stored, by hash."""
    return {row["hash"]: row["text"] for row in await pool.fetch(_READ, org_id, list(hashes))}
