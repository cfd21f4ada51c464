"""Records that Kafka lost before they were read, closed for a reason."""

from tool_sync.admin.actions import OperatorAction, note_action
from tool_sync.db import Connection
from zerotouch_platform.kafka import ledger


async def acknowledge(connection: Connection, loss_id: int, reason: str, principal: str | None = None) -> bool:
    """Close a loss; False where there is none of this id that is open. ``principal``: of the action."""
    async with connection.transaction():
        found = await ledger.acknowledge(connection, loss_id, reason)
        if found:
            await note_action(
                connection, OperatorAction.LOST_RECORDS_ACKNOWLEDGE, str(loss_id), reason, principal=principal
            )
    return found
