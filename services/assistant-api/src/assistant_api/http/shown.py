"""What the pages and documents hold that rows are made into without a model, as OpenAPI describes them.

They are for the document alone: a page of a thousand rows is not validated again. That both say the same,
`tests/contract/openapi` holds, which compares every answer with its schema.
"""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from assistant_api.access_log.entry import Action
from assistant_api.agents.schemas import LanguageModel, ResponseBody


class Agent(ResponseBody):
    """An agent, and how far its newest revision is."""

    id: str
    org_id: UUID
    name: str
    system_prompt: str | None
    first_message: str | None
    voice: dict[str, Any] | None
    model: LanguageModel | None
    vapi_assistant_id: str | None
    revision: int
    state: Literal["provisioning", "provisioned", "refused"]
    created_at: datetime
    updated_at: datetime


class AgentsPage(ResponseBody):
    """Agents, by organization and id."""

    items: list[Agent]
    next: str | None


class Save(ResponseBody):
    """An accepted save. `state`: `open` until it is in Vapi."""

    request_id: UUID
    org_id: UUID
    agent_id: str
    state: Literal["open", "saved", "refused", "deleted"]
    cause: str
    created_at: datetime
    closed_at: datetime | None


class SavesPage(ResponseBody):
    """Saves, oldest first."""

    saves: list[Save]
    next_after: str | None


class ListedAppointment(ResponseBody):
    """An appointment, as a caller made it."""

    id: UUID
    org_id: UUID
    patient_name: str
    patient_phone: str
    patient_phone_e164: str | None
    service: str | None
    notes: str | None
    start: datetime
    end: datetime
    status: str
    call_id: str
    tool_call_id: str
    created_at: datetime
    updated_at: datetime


class AppointmentsPage(ResponseBody):
    """Appointments, by their start."""

    items: list[ListedAppointment]
    next: str | None


class PatientCall(ResponseBody):
    """A tool call of a patient's phone call; of one whose answer is not kept any more the ids alone are known."""

    call_id: str
    tool_call_id: str
    tool: str | None
    code: str | None
    answer: str | None
    handled_at: datetime | None


class PatientExport(ResponseBody):
    """All that there is of one patient of a clinic."""

    org_id: UUID
    appointments: list[ListedAppointment]
    calls: list[PatientCall]


class AccessRow(ResponseBody):
    """Who did what, and what came of it."""

    id: int
    at: datetime
    org_id: UUID | None
    principal: str
    token_id: str | None
    role: str
    scopes: list[str] | None
    action: Action
    object_type: str
    object_id: str | None
    result: Literal["done", "refused", "failed"]
    code: str | None
    trace_id: str | None
    reason: str | None
    db_user: str


class AccessPage(ResponseBody):
    """Rows of the access log, newest first."""

    items: list[AccessRow]
    next_before: int | None
