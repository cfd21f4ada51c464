"""How far an assistant is: its row says whether it is at Vapi, the newest outcome says what became of its tools.

An outcome counts only for the Vapi assistant and the life of the agent that it was said of: an agent may be made anew
under its id, or be given another assistant.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal
from uuid import UUID

from assistant_api.agents.read import reading, resolve, state_of
from assistant_api.agents.schemas import AtVapi, Status
from assistant_api.db import Database
from assistant_api.problem import not_found
from assistant_api.vapi.pause import KeyPause, read_pause
from zerotouch_contracts.errors import CATALOGUE, ErrorCode, entry_of
from zerotouch_platform.auth import Caller
from zerotouch_platform.traceparent import trace_id_of
from zerotouch_platform.traces import trace_url

State = Literal["provisioning", "refused", "syncing", "synced", "no_tools", "failed"]

_READ: Final = """
SELECT a.saved_revision, a.asked_revision, a.provisioned_revision, a.refused_revision, a.refusal, a.failure_code,
       a.vapi_assistant_id, a.attempt_at, extract(epoch FROM now() - a.attempt_at)::float8 AS attempt_age_seconds,
       o.synced, o.revision AS outcome_revision, o.tools, o.failed_tools, o.code, o.message, o.trace_id,
       o.reason,
       (SELECT s.traceparent FROM saves s
        WHERE s.org_id = a.org_id AND s.agent_id = a.id AND s.revision <= a.asked_revision
        ORDER BY s.revision DESC, s.created_at DESC LIMIT 1) AS traceparent
FROM agents a
LEFT JOIN outcomes o ON o.org_id = a.org_id AND o.agent_id = a.id
     AND o.assistant_id = a.vapi_assistant_id AND o.revision <= a.saved_revision
WHERE a.org_id = $1 AND a.id = $2
"""


NO_TOOL_WANTED: Final = "No tool is wanted for this assistant, so it has none and takes no bookings."


async def read_status(
    database: Database, key_fingerprint: str, caller: Caller, agent_id: str, named_org: UUID | None
) -> Status:
    """The status of one agent; 404 and 409 as for reading it. The trace is that of the newest save or its outcome.

    ``key_fingerprint`` names the platform's key of Vapi, for clinics that have none of their own: while a key is
    refused, open work stands still.
    """
    org_id, _ = await resolve(database, caller, agent_id, named_org)
    async with reading(database, caller) as connection:
        found = await connection.fetchrow(_READ, org_id, agent_id)
    if found is None:
        raise not_found()
    row = dict(found)
    state = _state(row)
    settled = state in {"synced", "no_tools", "failed"}
    pause = await _pause(database, key_fingerprint, org_id, state)
    trace_id = (row["trace_id"] if settled else None) or trace_id_of(row["traceparent"])
    return Status(
        success=state == "synced",
        agent_id=agent_id,
        org_id=org_id,
        assistant_id=row["vapi_assistant_id"],
        state=state,
        tools_registered=tuple(row["tools"] or ()),
        failed_tools=tuple(row["failed_tools"] or ()),
        message=_message(state, row) if pause is None else pause.sentence(),
        code=_code(state, row) if pause is None else pause.code.value,
        revision=row["saved_revision"],
        vapi=_at_vapi(row),
        trace_id=trace_id,
        trace_url=trace_url(trace_id),
    )


def _at_vapi(row: Mapping[str, Any]) -> AtVapi:
    if row["attempt_at"] is not None:
        age_seconds = max(0.0, round(row["attempt_age_seconds"], 3))
        return AtVapi(state="unknown", since=row["attempt_at"], age_seconds=age_seconds)
    return AtVapi(state="absent" if row["vapi_assistant_id"] is None else "present")


def _state(row: Mapping[str, Any]) -> State:
    if (state := state_of(row)) != "provisioned":
        return state
    # A rewrite of our own block takes nothing back: the outcome of what was asked for still holds.
    wanted = min(row["provisioned_revision"], row["asked_revision"])
    if row["outcome_revision"] is None or row["outcome_revision"] < wanted:
        return "syncing"
    if not row["synced"]:
        return "failed"
    return "synced" if row["tools"] else "no_tools"


async def _pause(database: Database, key_fingerprint: str, org_id: UUID, state: State) -> KeyPause | None:
    """The trouble of the clinic's key, where it is what this agent waits for.

    tool-sync pauses the key by itself. It is told of here only where it lasts until a person acts: then it is the same
    for both.
    """
    if state not in {"provisioning", "syncing"}:
        return None
    async with database.connection() as connection:
        pause = await read_pause(connection, key_fingerprint, org_id)
    return pause if pause is not None and (state == "provisioning" or pause.needs_a_person) else None


def _code(state: State, row: Mapping[str, Any]) -> str | None:
    match state:
        case "refused":
            return str(row["failure_code"] or ErrorCode.ASSISTANT_REFUSED.value)
        case "provisioning":
            return row["failure_code"] and str(row["failure_code"])
        case "failed":
            return row["code"] and str(row["code"])
        case "no_tools":
            return row["reason"] and str(row["reason"])
        case "syncing" | "synced":
            return None


def _message(state: State, row: Mapping[str, Any]) -> str:
    match state:
        case "provisioning":
            return _meaning(row["failure_code"]) or "The assistant is being written to Vapi."
        case "refused":
            return "; ".join(row["refusal"]) or CATALOGUE[ErrorCode.ASSISTANT_REFUSED].meaning
        case "syncing":
            return "The assistant is at Vapi; its tools are being synced."
        case "synced":
            return "Tools synced successfully"
        case "no_tools":
            return _no_tools(row["reason"])
        case "failed":
            return str(row["message"]) or _meaning(row["code"]) or "The assistant lacks tools."


def _no_tools(reason: str | None) -> str:
    entry = entry_of(reason)
    return NO_TOOL_WANTED if entry is None else f"{entry.meaning} Who acts: {entry.who_acts}. {entry.what_to_do}"


def _meaning(code: str | None) -> str | None:
    """What the catalogue says; None for a code that is newer than this process."""
    entry = entry_of(code)
    return None if entry is None else entry.meaning
