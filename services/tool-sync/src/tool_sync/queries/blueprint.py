"""Which versions of which tools were published: the events of the streams ``blueprint-<tool>``."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from tool_sync.db import Connection
from tool_sync.queries.explain_tool import UnknownTool

# Releases published one version several times, as its hash changed with the server's URL: the newest counts.
_VERSIONS: Final = """
SELECT t.name, v.*
  FROM system_tools t
 CROSS JOIN LATERAL (
       SELECT DISTINCT ON ((data ->> 'version')::int)
              (data ->> 'version')::int AS version, data ->> 'tier' AS tier,
              data ->> 'definition_hash' AS definition_hash,
              nullif(data -> 'document', 'null') AS document, position, recorded_at AS published_at,
              meta ->> 'actor' AS actor, data ->> 'reason' AS reason,
              array(SELECT jsonb_array_elements_text(data -> 'open')) AS open
         FROM events e
        WHERE e.stream = 'blueprint-' || t.name AND e.type = 'BlueprintPublished'
        ORDER BY (data ->> 'version')::int, e.version DESC) v
 WHERE $1::text IS NULL OR t.name = $1
 ORDER BY t.name, v.version
"""
_NAMES: Final = "SELECT name FROM system_tools ORDER BY name"


@dataclass(frozen=True, slots=True)
class PublishedVersion:
    """A version as it was last published, at ``position``.

    ``document`` is what is registered at Vapi, with the nil UUID in the org's place; None where the event is from
    before documents were in the log. ``reason`` is None where nobody gave one. ``open``: the parts that a clinic may
    word itself.
    """

    name: str
    version: int
    tier: str
    definition_hash: str
    document: Mapping[str, Any] | None
    position: int
    published_at: datetime
    actor: str
    reason: str | None
    open: list[str]


@dataclass(eq=False)
class UnknownVersion(Exception):
    """The tool has no such version, or not its document. ``known`` are the versions that can be shown."""

    name: str
    version: int
    known: tuple[int, ...]

    def __str__(self) -> str:
        there = f"there is {', '.join(map(str, self.known))}" if self.known else "no version has one"
        return f"there is no document of version {self.version} of {self.name}; {there}"


async def published_versions(connection: Connection, name: str | None = None) -> tuple[PublishedVersion, ...]:
    """The versions of one tool or of all, by name and number; raises `UnknownTool` where there is no such tool."""
    found = tuple(PublishedVersion(**row) for row in await connection.fetch(_VERSIONS, name))
    if name is not None and not found:
        raise UnknownTool(name, tuple(row["name"] for row in await connection.fetch(_NAMES)))
    return found


async def published_documents(connection: Connection, name: str) -> Mapping[int, PublishedVersion]:
    """The versions of a tool whose documents are in the log, by number. Raises `UnknownTool`."""
    return {one.version: one for one in await published_versions(connection, name) if one.document is not None}
