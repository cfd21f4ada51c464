"""What an operator sets of one organization's change window."""

from functools import partial
from uuid import UUID

from tool_sync.admin.operator import ACTOR
from tool_sync.admin.tool_settings import CannotSwitch
from tool_sync.db import Connection
from tool_sync.domain.change_window import ChangeWindow, local_time
from tool_sync.domain.tool_setting import NoSuchOrg, OrgIsClosed, SettingMoved
from tool_sync.domain.window_setting import WindowWish
from tool_sync.intake.change_windows import set_window, window_basis
from tool_sync.intake.wishes import AlreadySo, Contended, Wisher, WishStored
from tool_sync.log import EventLog, LogUnavailable
from tool_sync.queries.change_windows import OrgWindow, window_of
from tool_sync.queries.tool_settings import who


async def change_window(
    connection: Connection, log: EventLog, org_id: UUID, window: ChangeWindow | None, *, reason: str | None
) -> str:
    """Write it down, and say so. Asking twice does no harm, and writes nothing. ``window`` None takes it back.

    Raises `CannotSwitch`.
    """
    read = partial(window_basis, connection, org_id)
    try:
        answer = await set_window(log, read, org_id, WindowWish(window, reason), Wisher(ACTOR))
    except (LogUnavailable, Contended) as error:
        raise CannotSwitch(f"{error}; give the same command again") from error
    match answer:
        case WishStored():
            return f"written; {await window_said(connection, org_id)}"
        case AlreadySo():
            return f"nothing was written; {await window_said(connection, org_id)}"
        case NoSuchOrg():
            raise CannotSwitch(f"there is no organization {org_id}")
        case OrgIsClosed():
            raise CannotSwitch(f"organization {org_id} was deleted; nothing is set for it")
        case SettingMoved():
            raise AssertionError("an operator names no window that is to be replaced")


async def window_said(connection: Connection, org_id: UUID) -> str:
    """The organization's change window as a sentence. Raises `CannotSwitch`."""
    found = await window_of(connection, org_id)
    if found is None:
        raise CannotSwitch(f"there is no organization {org_id}")
    return _said(org_id, found)


async def window_set(connection: Connection, org_id: UUID) -> str | None:
    """The same where it has one, or had."""
    found = await window_of(connection, org_id)
    return None if found is None or not found.position else _said(org_id, found)


def _said(org_id: UUID, found: OrgWindow) -> str:
    by = f" ({_by(found)})" if found.position else ""
    if found.window is None or found.state is None:
        return f"{org_id} has no change window{by}: orders come at any time"
    closes_at, opens_at = found.state.closes_at, found.state.opens_at
    now = "closed now" if closes_at is None else f"open now, until {local_time(closes_at, found.time_zone)}"
    opens = f"opens {local_time(opens_at, found.time_zone)} ({opens_at:%Y-%m-%d %H:%M} UTC)"
    return f"orders change the tools of {org_id} at {found.window} {found.time_zone}{by}: {now}; {opens}"


def _by(found: OrgWindow) -> str:
    why = f": {found.reason}" if found.reason else ""
    return f"by {who(found.actor or '')} at {found.changed_at:%Y-%m-%d %H:%M:%S} UTC{why}"
