"""What is behind the tool ids that assistants name and no log of ours knows: a cache, good for a day.

A tool of Vapi's says by itself what it is, so this belongs to the account and not to an org: the same foreign tool on a
hundred assistants is read once a day.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from tool_sync.db import Pool
from tool_sync.domain.reach import NamedTool

GOOD_FOR: Final = timedelta(days=1)

_READ: Final = """
SELECT vapi_tool_id, present, name, installation_id, org_id
  FROM named_tools WHERE account = $1 AND vapi_tool_id = ANY ($2::text[]) AND read_at > clock_timestamp() - $3::interval
"""
_KEEP: Final = """
WITH old AS (DELETE FROM named_tools
              WHERE read_at < clock_timestamp() - 2 * $7::interval AND vapi_tool_id <> ALL ($2::text[]))
INSERT INTO named_tools (account, vapi_tool_id, present, name, installation_id, org_id)
SELECT $1, * FROM unnest($2::text[], $3::boolean[], $4::text[], $5::uuid[], $6::uuid[])
ON CONFLICT (account, vapi_tool_id) DO UPDATE
   SET present = excluded.present, name = excluded.name, installation_id = excluded.installation_id,
       org_id = excluded.org_id, read_at = excluded.read_at
"""


async def read(pool: Pool, account: str, ids: Sequence[str]) -> Mapping[str, NamedTool]:
    """What was read of these ids within the last day, by id."""
    return {
        row["vapi_tool_id"]: NamedTool(
            row["vapi_tool_id"], row["present"], row["name"], row["installation_id"], row["org_id"]
        )
        for row in await pool.fetch(_READ, account, list(ids), GOOD_FOR)
    }


async def keep(pool: Pool, account: str, tools: Sequence[NamedTool]) -> None:
    """Remember what was just read, and forget what is old. Each id once."""
    tools = sorted(tools, key=lambda tool: tool.vapi_tool_id)  # one order for all, or two processes wait in a circle
    await pool.execute(
        _KEEP,
        account,
        [tool.vapi_tool_id for tool in tools],
        [tool.exists for tool in tools],
        [tool.name for tool in tools],
        [tool.installation_id for tool in tools],
        [tool.org_id for tool in tools],
        GOOD_FOR,
    )
