"""In which account of Vapi's a claimed clinic is worked on; or what its work waits for.

A save names the account that its assistant is in. The clinic's account comes over another topic, and may come later:
until both say the same, nothing is sent, as the other account's answer would be that there is no such assistant.
"""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from tool_sync.domain.events import SyncRequested
from tool_sync.domain.toolset import Assistant, Toolset
from tool_sync.sync.context import Context
from tool_sync.vapi.accounts import Unusable
from zerotouch_contracts.errors import ErrorCode

PLATFORM: Final = ""
"""Stands for the platform's account, whatever each service calls it."""


async def context_of(
    context: Context, org_id: UUID, state: Toolset, assistants: Mapping[str, Assistant]
) -> Context | Unusable:
    """The clinic's context; or why its work waits. ``assistants``: the rows of those with work, as far as known."""
    saved_in = account_of_newest_save(state, assistants)
    saved_in = PLATFORM if saved_in == context.vapi.account else saved_in
    if saved_in is None or saved_in == (context.accounts.name_of(org_id) or PLATFORM):
        return await context.of(org_id)
    await context.accounts.refresh()  # it may have come since this process has looked
    known = context.accounts.name_of(org_id) or PLATFORM
    if saved_in == known:
        return await context.of(org_id)
    account = saved_in or known
    named, said = saved_in or "the platform's account", known or "the platform's account"
    why = f"the newest save is in {named}, and the clinic is said to have {said}"
    return Unusable(account, f"record of {account}", ErrorCode.VAPI_ACCOUNT_UNKNOWN, why)


def account_of_newest_save(state: Toolset, assistants: Mapping[str, Assistant]) -> str | None:
    """The account that the clinic's newest open save names; None where nothing is open.

    An assistant that was deleted says nothing: the clinic may have another account since.
    """
    newest = sorted((mine[-1] for mine in state.open_requests.values()), key=lambda one: one.position, reverse=True)
    for request in newest:
        if isinstance(request.asked, SyncRequested):
            row = assistants.get(request.agent_id)
            if row is None or not row.removed:
                return request.asked.account or PLATFORM
    return None
