"""Switching one tool off for one organization, and on again."""

from typing import Final
from uuid import UUID

from tool_sync.admin.operator import operator_request
from tool_sync.db import Connection
from tool_sync.domain.events import ToolSettingChanged
from tool_sync.log import EventLog

_PROBLEM: Final = """
SELECT CASE WHEN NOT EXISTS (SELECT FROM organizations WHERE id = $1) THEN 'there is no organization ' || $1::text
            WHEN NOT EXISTS (SELECT FROM system_tools WHERE name = $2) THEN 'there is no tool ' || $2 END
"""


async def problem_with(connection: Connection, org_id: UUID, tool: str) -> str | None:
    """Why there is nothing to switch, or None."""
    problem: str | None = await connection.fetchval(_PROBLEM, org_id, tool)
    return problem


async def switch_tool(log: EventLog, org_id: UUID, tool: str, service_version: str, *, enabled: bool) -> None:
    """Write it down; the reconciler does the rest. Switching twice does no harm.

    Off: every assistant is unlinked, and the tool is deleted at Vapi after the grace. On within it: the id stays.
    """
    await log.append(operator_request(org_id, ToolSettingChanged(tool, enabled), service_version))
