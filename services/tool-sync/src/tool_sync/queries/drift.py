"""What somebody changed of clinics' tools at Vapi, and is left so as drift of these tools is only reported."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tool_sync.db import Connection

_LEFT: Final = """
SELECT d.tool_name, count(*) AS clinics
  FROM tool_drifts d
  JOIN org_tools t USING (org_id, tool_name, vapi_tool_id)
  JOIN organizations o ON o.id = d.org_id AND NOT o.closed
 WHERE d.is_open AND t.enabled AND NOT d.gone AND d.differs <> '[]' AND d.differs <@ '["description", "messages"]'
   AND d.tool_name = ANY ($1) AND ($2::uuid IS NULL OR d.org_id = $2)
 GROUP BY d.tool_name ORDER BY d.tool_name
"""


@dataclass(frozen=True, slots=True)
class LeftDrift:
    """So many clinics have this tool otherwise than it was registered."""

    tool: str
    clinics: int


async def left_drift(connection: Connection, tools: Iterable[str], org_id: UUID | None) -> tuple[LeftDrift, ...]:
    """Of these tools, whose drift is only reported; also where nobody has one otherwise."""
    names = sorted(tools)
    counts = {row["tool_name"]: row["clinics"] for row in await connection.fetch(_LEFT, names, org_id)}
    return tuple(LeftDrift(name, counts.get(name, 0)) for name in names)
