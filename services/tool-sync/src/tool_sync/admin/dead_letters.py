"""Dead letters taken in again, with a release that can read them, or closed for a reason."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID, uuid5

from aiokafka import ConsumerRecord

from tool_sync.admin.actions import OperatorAction, note_action
from tool_sync.db import Connection
from tool_sync.domain.events import SyncRequested
from tool_sync.intake.mapping import Poison, Record, read_record
from tool_sync.log import AppendRejected, AppendRequest, EventLog, NewEvent, event_id
from tool_sync.queries.dead_letters import DeadLetter, is_answered
from zerotouch_contracts.envelope import SOURCE_ASSISTANT_API

REPLAYED: Final = UUID("8b1f1d5e-0b7d-5c0e-9a86-61f8a7b4c0d2")
"""Names the request of a replayed save whose own request has its outcome already."""

_DONE: Final = "UPDATE dead_letters SET replayed_at = clock_timestamp() WHERE id = $1 AND replayed_at IS NULL"
_ACKNOWLEDGE: Final = """
UPDATE dead_letters SET acknowledged_at = clock_timestamp(), acknowledged_reason = $2
 WHERE id = $1 AND acknowledged_at IS NULL
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class ReplayedLetter:
    """``problem`` says why a letter could not be taken in this time either; None where it was."""

    letter: DeadLetter
    problem: str | None


async def acknowledge(connection: Connection, letter_id: int, reason: str, principal: str | None = None) -> bool:
    """Close a dead letter; False where there is none of this id that is still open. ``principal``: of the action."""
    async with connection.transaction():
        found = await connection.fetchval(_ACKNOWLEDGE, letter_id, reason)
        if found is not None:
            await note_action(
                connection, OperatorAction.DEAD_LETTER_ACKNOWLEDGE, str(letter_id), reason, principal=principal
            )
    return found is not None


async def replay_letters(
    connection: Connection, log: EventLog, letters: Sequence[DeadLetter], reason: str
) -> list[ReplayedLetter]:
    """Take letters in as this release reads them, in their order; those that it still cannot read stay as they are.

    A save whose request was answered already (it got its outcome as unreadable) is taken in under a request id that
    follows from its own: its assistant is synced, and no request has two outcomes.
    """
    answers = []
    for letter in letters:
        problem = await _replay(connection, log, letter)
        if problem is None:
            async with connection.transaction():
                await connection.execute(_DONE, letter.id)
                await note_action(connection, OperatorAction.DEAD_LETTER_REPLAY, str(letter.id), reason)
        answers.append(ReplayedLetter(letter, problem))
    return answers


async def _replay(connection: Connection, log: EventLog, letter: DeadLetter) -> str | None:
    read = read_record(_record(letter))
    if isinstance(read, Poison):
        return read.reason
    try:
        await log.append(await _request(connection, read.request))
    except AppendRejected as rejected:
        return rejected.reason
    return None


async def _request(connection: Connection, request: AppendRequest) -> AppendRequest:
    (new,) = request.events
    event = new.event
    if not isinstance(event, SyncRequested):
        return request
    if not await is_answered(connection, request.org_id, event.request_id):
        return request
    request_id = uuid5(REPLAYED, str(event.request_id))
    again = event_id(request.stream, SOURCE_ASSISTANT_API, str(request_id), type(event).__name__, 0)
    return replace(request, events=(NewEvent(again, replace(event, request_id=request_id)),))


def _record(letter: DeadLetter) -> Record:
    return ConsumerRecord(
        topic=letter.topic,
        partition=letter.partition,
        offset=letter.offset,
        timestamp=int(letter.recorded_at.timestamp() * 1000),
        timestamp_type=0,
        key=letter.key,
        value=letter.value,
        checksum=None,
        serialized_key_size=len(letter.key or b""),
        serialized_value_size=len(letter.value or b""),
        headers=letter.headers,
    )
