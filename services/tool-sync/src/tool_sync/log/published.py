"""The definitions that releases have published: the streams ``blueprint-<tool>``."""

from collections.abc import Mapping
from typing import Any, Final

from tool_sync.db import Pool

_DEFINITION: Final = """
SELECT data -> 'document' AS document
  FROM events
 WHERE stream = 'blueprint-' || $1 AND type = 'BlueprintPublished' AND data ->> 'definition_hash' = $2
   AND jsonb_typeof(data -> 'document') = 'object'
 ORDER BY version DESC LIMIT 1
"""


async def definition(pool: Pool, name: str, definition_hash: str) -> Mapping[str, Any] | None:
    """The document that was published with this hash, the nil UUID in the org's place; None where there is none."""
    document: Mapping[str, Any] | None = await pool.fetchval(_DEFINITION, name, definition_hash)
    return document
