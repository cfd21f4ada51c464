"""``tool-sync log fork``: look at what Vapi has beyond the backup, then give the log its new id."""

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from uuid import UUID

from tool_sync import db
from tool_sync.admin.actions import OperatorAction, note_action
from tool_sync.admin.lost_tools import find_lost_tools
from tool_sync.cli.exits import EXIT_USAGE
from tool_sync.cli.exits import error as say
from tool_sync.cli.output import print_error, print_line
from tool_sync.log.fork import LostTool, fork, require_unused
from tool_sync.log.head import newest_event_at
from tool_sync.vapi.accounts import FollowedAccounts
from tool_sync.vapi.client import VapiClient
from tool_sync.vapi.failures import VapiFailure


async def fork_log(
    connection: db.Connection,
    client: AbstractAsyncContextManager[VapiClient],
    own_accounts: AbstractAsyncContextManager[FollowedAccounts],
    installation_id: UUID,
    settle_seconds: float,
    reason: str,
) -> int:
    """Fork and print the new id; returns the exit status. Nothing is changed where the platform's account cannot be
    listed. One of a clinic's own that cannot be is named: its clinics may get a tool a second time."""
    await require_unused(connection)
    await db.claim_installation(connection, installation_id)
    print_error(f"waiting {settle_seconds:g} s, until no call of tool-sync can land any more")
    await asyncio.sleep(settle_seconds)
    try:
        async with client as vapi, own_accounts as accounts:
            backup_at = await newest_event_at(connection)
            lost = await find_lost_tools(vapi, installation_id, backup_at)
            unlisted = await _list_own(accounts, installation_id, backup_at, lost)
    except VapiFailure as failure:
        say(f"nothing was changed, because Vapi did not list its tools ({failure.code.value}); repair that, then fork")
        return EXIT_USAGE
    async with connection.transaction():
        forked = await fork(connection, lost)
        await note_action(connection, OperatorAction.LOG_FORK, str(forked.log_id), reason)
    print_line(f"the log is now {forked.log_id}; up to position {forked.head:,} it was {forked.forked_from}")
    print_line(f"{len(lost):,} tool(s) at Vapi may be newer than the log; a clinic that lacks its own adopts one")
    for account in unlisted:
        say(f"account {account} did not list its tools: those that were made after the backup may be made again")
    return 0


async def _list_own(
    accounts: FollowedAccounts, installation_id: UUID, backup_at: datetime | None, lost: list[LostTool]
) -> list[str]:
    """Add what the clinics' own accounts have to ``lost``; the accounts that could not be listed."""
    listed = set()
    for account in await accounts.usable():
        try:
            lost += await find_lost_tools(account.vapi, installation_id, backup_at)
            listed.add(account.name)
        except VapiFailure:  # one clinic's dead account keeps nobody else from being restored
            continue
    return sorted(accounts.names - listed)
