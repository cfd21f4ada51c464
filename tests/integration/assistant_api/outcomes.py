"""Outcomes of tool-sync's, heard without Kafka: as if the consumer had just read them."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from assistant_api.outcomes.apply import apply_outcomes
from zerotouch_contracts.events import OutcomeMessage, SyncedTool
from zerotouch_contracts.subscriber import Delivered

from .harness import LOG_ID, Harness

TOOL: Final = SyncedTool(name="bookClinicAppointment", vapi_tool_id="t1", definition_version=2)


async def hear(harness: Harness, *messages: OutcomeMessage) -> None:
    """Apply these outcomes in one transaction."""
    delivered = [Delivered(message, str(uuid4()), datetime.now(UTC), LOG_ID) for message in messages]
    async with harness.service.database.transaction() as connection:
        await apply_outcomes(connection, delivered)


async def outcome_fields(harness: Harness, sequence: int = 1, agent_id: str = "a", **changes: Any) -> dict[str, Any]:
    """What every outcome of an agent's newest revision has."""
    row = await harness.row(agent_id)
    return {
        "org_id": row["org_id"],
        "sequence": sequence,
        "agent_id": agent_id,
        "assistant_id": row["vapi_assistant_id"],
        "revision": row["saved_revision"],
        "tools": (TOOL,),
        **changes,
    }
