"""What an operator sets for one tool of one organization."""

from functools import partial
from typing import Final
from uuid import UUID

from tool_sync.admin.operator import ACTOR
from tool_sync.db import Connection
from tool_sync.domain.tool_setting import NoSuchOrg, NoSuchTool, OrgIsClosed, SettingMoved, SettingWish
from tool_sync.intake.tool_settings import set_tool, setting_basis
from tool_sync.intake.wishes import AlreadySo, Contended, Wisher, WishStored
from tool_sync.log import EventLog, LogUnavailable
from tool_sync.queries.explain_tool import UnknownTool

_DONE: Final = {True: "switched on", False: "switched off", None: "as the blueprint says"}


class CannotSwitch(Exception):
    """There is nothing to set; the message says why."""


async def switch_tool(
    connection: Connection, log: EventLog, org_id: UUID, tool: str, *, enabled: bool | None, reason: str | None
) -> str:
    """Write it down, and say so; the reconciler does the rest. Asking twice does no harm, and writes nothing.

    Off: every assistant is unlinked, and the tool is deleted at Vapi after the grace. On within it: the id stays.
    ``enabled`` None takes the setting back. Raises `CannotSwitch` and `UnknownTool`.
    """
    read = partial(setting_basis, connection, org_id, tool)
    try:
        answer = await set_tool(log, read, org_id, tool, SettingWish(enabled, reason), Wisher(ACTOR))
    except (LogUnavailable, Contended) as error:
        raise CannotSwitch(f"{error}; give the same command again") from error
    match answer:
        case WishStored():
            return f"{tool} is {_DONE[enabled]} for {org_id}; tool-sync does the rest"
        case AlreadySo():
            return f"{tool} is {_DONE[enabled]} for {org_id} already; nothing was written"
        case NoSuchOrg():
            raise CannotSwitch(f"there is no organization {org_id}")
        case OrgIsClosed():
            raise CannotSwitch(f"organization {org_id} was deleted; nothing is set for it")
        case NoSuchTool(known=known):
            raise UnknownTool(tool, known)
        case SettingMoved():
            raise AssertionError("an operator names no setting that is to be replaced")
