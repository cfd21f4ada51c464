"""``tool-sync log fork``: look at what Vapi has beyond the backup, then give the log its new id."""

import asyncio
import sys
from contextlib import AbstractAsyncContextManager
from uuid import UUID

from tool_sync import db
from tool_sync.admin.lost_tools import find_lost_tools
from tool_sync.cli.options import EXIT_USAGE
from tool_sync.cli.output import error as say
from tool_sync.log.fork import fork, require_unused
from tool_sync.log.head import newest_event_at
from tool_sync.vapi.client import VapiClient
from tool_sync.vapi.failures import VapiFailure


async def fork_log(
    connection: db.Connection,
    client: AbstractAsyncContextManager[VapiClient],
    installation_id: UUID,
    settle_seconds: float,
) -> int:
    """Fork and print the new id; returns the exit status. Nothing is changed where Vapi cannot be listed."""
    await require_unused(connection)
    await db.claim_installation(connection, installation_id)
    print(f"waiting {settle_seconds:g} s, until no call of tool-sync can land any more", file=sys.stderr)
    await asyncio.sleep(settle_seconds)
    try:
        async with client as vapi:
            lost = await find_lost_tools(vapi, installation_id, await newest_event_at(connection))
    except VapiFailure as failure:
        say(f"nothing was changed, because Vapi did not list its tools ({failure.code.value}); repair that, then fork")
        return EXIT_USAGE
    forked = await fork(connection, lost)
    print(f"the log is now {forked.log_id}; up to position {forked.head:,} it was {forked.forked_from}")
    print(f"{len(lost):,} tool(s) at Vapi may be newer than the log; a clinic that lacks its own adopts one")
    return 0
