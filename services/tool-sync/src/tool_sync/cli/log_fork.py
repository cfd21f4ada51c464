"""``tool-sync log fork``: look at what Vapi has beyond the backup, then give the log its new id."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tool_sync import db
from tool_sync.admin.lost_tools import find_lost_tools
from tool_sync.cli.connected import connected
from tool_sync.cli.looking import client_of
from tool_sync.cli.options import EXIT_USAGE
from tool_sync.cli.output import error as say
from tool_sync.log.fork import LostTool, fork, require_unused
from tool_sync.log.head import newest_event_at
from tool_sync.vapi.failures import VapiFailure

DEADLINE_SECONDS: Final = 30.0
CONNECTIONS_MAX: Final = 1


@dataclass(frozen=True, slots=True)
class Account:
    """Vapi, as this command is told of it, and whose tools are looked for there."""

    base_url: str
    api_key: str
    name: str
    installation_id: UUID


async def fork_log(database_url: str, account: Account, settle_seconds: float) -> int:
    """Fork and print the new id; returns the exit status. Nothing is changed where Vapi cannot be listed."""

    async def work(connection: db.Connection) -> int:
        await require_unused(connection)
        await db.claim_installation(connection, account.installation_id)
        print(f"waiting {settle_seconds:g} s, until no call that tool-sync made can land any more", file=sys.stderr)
        await asyncio.sleep(settle_seconds)
        lost = await _lost(connection, account)
        forked = await fork(connection, lost)
        print(f"the log is {forked.log_id} from here on; up to position {forked.head:,} it was {forked.forked_from}")
        print(f"{len(lost):,} tool(s) at Vapi may be newer than the log; a clinic that lacks its own adopts it")
        return 0

    try:
        return await connected(database_url, work)
    except VapiFailure as failure:
        say(f"nothing was changed, as Vapi did not list its tools: {failure.code.value}; mend that and fork again")
        return EXIT_USAGE


async def _lost(connection: db.Connection, account: Account) -> Sequence[LostTool]:
    async with client_of(
        account.base_url,
        account.api_key,
        account.name,
        deadline_seconds=DEADLINE_SECONDS,
        connections_max=CONNECTIONS_MAX,
    ) as vapi:
        return await find_lost_tools(vapi, account.installation_id, await newest_event_at(connection))
