"""What an operator does with one clinic's notices (ADR 81), each with its row that says who and why (ADR 56)."""

from typing import Final
from uuid import UUID

from tool_sync.admin.actions import OperatorAction, note_action
from tool_sync.admin.operator import ACTOR
from tool_sync.admin.tool_settings import CannotSwitch
from tool_sync.db import Connection
from tool_sync.notices import endpoints, queue
from tool_sync.notices.endpoints import Endpoint, endpoint_of, require_open
from tool_sync.notices.signing import SecretBox

FOREIGN_KEY: Final = (
    "NOTICES_KEY does not open the secret that was made last: the service would sign nothing with what it seals. Take "
    "the service's own; where that is new, set the first webhook over HTTP or on the console"
)


class ForeignNoticesKey(Exception):
    """The key is not the one that the service has."""

    def __init__(self) -> None:
        super().__init__(FOREIGN_KEY)


async def notices_of(connection: Connection, org_id: UUID) -> Endpoint | None:
    """Where they go; None: nowhere. Raises ``NoClinicToTell``."""
    await require_open(connection, org_id)
    return await endpoint_of(connection, org_id)


async def set_notices(
    connection: Connection, box: SecretBox, org_id: UUID, url: str, *, rotate: bool, reason: str
) -> tuple[Endpoint, str | None]:
    """Send them to ``url``, which was judged; and the secret where it is new.

    Raises :class:`ForeignNoticesKey` and ``NoClinicToTell``.
    """
    async with connection.transaction():
        if not await endpoints.opens_newest(connection, box):
            raise ForeignNoticesKey
        stored = await endpoints.set_endpoint(connection, box, org_id, url, rotate=rotate, by=ACTOR)
        await note_action(connection, OperatorAction.NOTICES_SET, str(org_id), reason)
    return stored


async def try_notices(connection: Connection, org_id: UUID, reason: str) -> str:
    """Have one sent to try them out; its id. Raises :class:`CannotSwitch` and ``NoClinicToTell``."""
    await require_open(connection, org_id)
    async with connection.transaction():
        if (message_id := await queue.add_test(connection, org_id)) is None:
            raise _none_of(org_id)
        await note_action(connection, OperatorAction.NOTICES_TEST, str(org_id), reason)
    return message_id


async def replay_notices(connection: Connection, org_id: UUID, reason: str) -> Endpoint:
    """Begin anew with the oldest that was not delivered. Raises :class:`CannotSwitch` and ``NoClinicToTell``."""
    await require_open(connection, org_id)
    async with connection.transaction():
        if not await endpoints.replay(connection, org_id) or (found := await endpoint_of(connection, org_id)) is None:
            raise _none_of(org_id)
        await note_action(connection, OperatorAction.NOTICES_REPLAY, str(org_id), reason)
    return found


async def remove_notices(connection: Connection, org_id: UUID, reason: str) -> None:
    """Tell the clinic nothing any more. Raises :class:`CannotSwitch` and ``NoClinicToTell``."""
    await require_open(connection, org_id)
    async with connection.transaction():
        if not await endpoints.remove_endpoint(connection, org_id):
            raise _none_of(org_id)
        await note_action(connection, OperatorAction.NOTICES_REMOVE, str(org_id), reason)


def _none_of(org_id: UUID) -> CannotSwitch:
    return CannotSwitch(f"organization {org_id} wants no notices; `tool-sync notices set` says where they go")
