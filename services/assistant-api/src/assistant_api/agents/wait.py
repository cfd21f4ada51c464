"""Waiting for an answer of Vapi's, and saying how it went. The client's wait ends; the provisioning goes on."""

import time
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from assistant_api.db import Database
from assistant_api.provisioner.loop import Provisioner
from zerotouch_contracts.errors import ErrorCode, entry_of

LOOK_SECONDS: Final = 0.25
"""How often the row is looked at while nothing is heard: another replica may be the one that provisions."""

_STATE: Final = """
SELECT provisioned_revision, refused_revision, refusal, failure_code, vapi_assistant_id
FROM agents WHERE org_id = $1 AND id = $2
"""


@dataclass(frozen=True, slots=True)
class Provisioned:
    """The revision, or a newer one, is at Vapi."""

    assistant_id: str


@dataclass(frozen=True, slots=True)
class NotTaken:
    """Vapi refuses the revision, or the assistant is another clinic's; for these reasons."""

    reasons: tuple[str, ...]
    code: ErrorCode


@dataclass(frozen=True, slots=True)
class Provisioning:
    """It is not known yet."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """The agent was deleted before its revision got to Vapi."""


Progress = Provisioned | NotTaken | Provisioning | Deleted


async def wait_for_vapi(
    database: Database, provisioner: Provisioner, org_id: UUID, agent_id: str, revision: int, *, timeout_seconds: float
) -> Progress:
    """Where ``revision`` is, as soon as that is decided; at the latest after ``timeout_seconds`` or when we stop."""
    deadline = time.monotonic() + timeout_seconds
    provisioner.wake()
    while True:
        left_seconds = deadline - time.monotonic()
        if left_seconds <= 0 or provisioner.waits_ended:
            return Provisioning()
        await provisioner.something_happened((org_id, agent_id), min(left_seconds, LOOK_SECONDS))
        async with database.connection() as connection:
            row = await connection.fetchrow(_STATE, org_id, agent_id)
        progress = _progress(row, revision)
        if not isinstance(progress, Provisioning):
            return progress


def _progress(row: Any, revision: int) -> Progress:
    if row is None:
        return Deleted()
    if row["provisioned_revision"] >= revision and row["vapi_assistant_id"] is not None:
        return Provisioned(row["vapi_assistant_id"])
    if row["refused_revision"] >= revision:
        return NotTaken(tuple(row["refusal"]), _code(row["failure_code"]))
    return Provisioning()


def _code(text: str | None) -> ErrorCode:
    """Of a refusal; one that is newer than this process is a refusal all the same."""
    entry = entry_of(text)
    return ErrorCode.ASSISTANT_REFUSED if entry is None else entry.code
