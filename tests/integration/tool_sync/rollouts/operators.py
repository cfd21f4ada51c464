"""Operators with a login of their own, and no right but those that the runbook names; and who takes their requests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest

from tool_sync.log import EventLog, Log
from tool_sync.publishing.addresses import Address
from tool_sync.rollouts.stages import default_stages
from tool_sync.rollouts.taking import TakingRequests

from .limits import AT
from .world import World

PASSWORD: Final = "operator"
PUBLIC: Final = ip_address("93.184.215.14")
PARAMETERS: Final = '{"type": "object", "properties": {"destination": {"type": "string"}}}'
INSERT: Final = f"""
INSERT INTO system_tools (name, schema, webhook_url)
VALUES ('sendDirections', '{{"description": "Sends the way.", "parameters": {PARAMETERS}}}', 'https://a.example/x')
"""  # noqa: S608 - a constant
DESCRIBE: Final = """
UPDATE system_tools SET schema = jsonb_set(schema, '{description}', '"Says that it is looking."')
 WHERE name = 'bookClinicAppointment'
"""

_GRANTS: Final = """
GRANT CONNECT ON DATABASE {database} TO {role};
GRANT USAGE ON SCHEMA public TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON system_tools TO {role};
GRANT SELECT ON tool_requests TO {role};
"""


@dataclass
class Operator:
    """Somebody at a terminal: what was typed, and what was said."""

    connection: "asyncpg.Connection[asyncpg.Record]"
    notices: list[str] = field(default_factory=list)

    async def types(self, statement: str) -> str:
        """The tag of the statement."""
        return await self.connection.execute(statement)

    async def is_refused(self, statement: str) -> list[str]:
        """Every reason, by which nothing was written."""
        with pytest.raises(asyncpg.CheckViolationError) as caught:
            await self.connection.execute(statement)
        return str(caught.value.detail).splitlines()


async def grant(world: World, role: str, grants: str = _GRANTS) -> str:
    """Make the login where the cluster has it not, give it the rights; its URL."""
    admin = await asyncpg.connect(world.admin_url)
    try:
        if not await admin.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role):
            await admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
        database = await admin.fetchval("SELECT current_database()")
        await admin.execute(grants.format(database=f'"{database}"', role=role))
    finally:
        await admin.close()
    parts = urlsplit(world.admin_url)
    netloc = f"{role}:{PASSWORD}@{parts.netloc.rpartition('@')[2]}"
    return urlunsplit(parts._replace(netloc=netloc))


@asynccontextmanager
async def at_terminal(url: str) -> AsyncIterator[Operator]:
    """A session, and whatever it is told beside answers."""
    connection = await asyncpg.connect(url)
    operator = Operator(connection)
    connection.add_log_listener(lambda _, said: operator.notices.append(f"{said.message}\n{said.hint}"))
    try:
        yield operator
    finally:
        await connection.close()


def taking(
    world: World, *addresses: Address, log: Log | EventLog | None = None, own: tuple[Any, ...] = ()
) -> TakingRequests:
    """A process that takes requests, for which every host has these addresses."""

    async def resolve(_host: str) -> tuple[Address, ...]:
        return addresses or (PUBLIC,)

    return TakingRequests(
        world.pool, log or world.log, AT, default_stages(own), uuid4(), resolve, loopback_allowed=False
    )


async def requests(world: World) -> list[dict[str, Any]]:
    """The table, oldest first."""
    return [dict(row) for row in await world.pool.fetch("SELECT * FROM tool_requests ORDER BY id")]
