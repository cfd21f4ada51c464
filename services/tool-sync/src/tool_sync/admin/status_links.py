"""What an operator does with the addresses that show a clinic's status (ADR 86), each with who and why (ADR 56)."""

from datetime import timedelta
from uuid import UUID

from tool_sync.admin.actions import OperatorAction, note_action
from tool_sync.admin.operator import ACTOR
from tool_sync.admin.tool_settings import CannotSwitch
from tool_sync.db import Connection
from tool_sync.notices.endpoints import require_open
from tool_sync.queries import status_links
from tool_sync.queries.status_links import StatusLink


async def links_of(connection: Connection, org_id: UUID) -> list[StatusLink]:
    """Those that are good, oldest first. Raises ``NoClinicToTell``."""
    await require_open(connection, org_id)
    return await status_links.status_links_of(connection, org_id)


async def make_link(
    connection: Connection, org_id: UUID, code: bytes, label: str, lasts: timedelta, reason: str
) -> StatusLink:
    """Let the address with this code show the clinic for so long. Raises ``NoStatusLink`` and ``NoClinicToTell``."""
    await require_open(connection, org_id)
    async with connection.transaction():
        link = await status_links.make_status_link(connection, org_id, code, label, lasts, ACTOR)
        await note_action(connection, OperatorAction.STATUS_LINK_MAKE, _object(org_id, link.id), reason)
    return link


async def remove_link(connection: Connection, org_id: UUID, link_id: UUID, reason: str) -> None:
    """Take an address back, at once. Raises :class:`CannotSwitch` and ``NoClinicToTell``."""
    await require_open(connection, org_id)
    async with connection.transaction():
        if not await status_links.remove_status_link(connection, org_id, link_id):
            what = f"organization {org_id} has no status link {link_id}"
            raise CannotSwitch(f"{what}; `tool-sync status-links list {org_id}` shows those that it has")
        await note_action(connection, OperatorAction.STATUS_LINK_REMOVE, _object(org_id, link_id), reason)


def _object(org_id: UUID, link_id: UUID) -> str:
    """Both: a link that was taken back is in no table, and nobody could say whose it was."""
    return f"{org_id}/{link_id}"
