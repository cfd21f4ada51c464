"""The bodies of requests and answers. camelCase on the wire, nothing unknown."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.alias_generators import to_camel

from assistant_api.appointments.schemas import Calendar, TimeZone
from assistant_api.limits import PROMPT_CHARACTERS_MAX
from zerotouch_contracts.text import Identifier, Storable
from zerotouch_contracts.tiers import KnownTier

NAME_CHARACTERS_MAX = 40

OrganizationName = Annotated[str, StringConstraints(min_length=1, max_length=200), Storable]
AgentName = Annotated[str, StringConstraints(min_length=1, max_length=NAME_CHARACTERS_MAX), Storable]
Prompt = Annotated[str, StringConstraints(max_length=PROMPT_CHARACTERS_MAX), Storable]
Word = Annotated[str, StringConstraints(min_length=1, max_length=100), Storable]


def _absent() -> str:
    """The value of a field that was left out and cannot be null: nobody looks at it, and no document shows it."""
    return "unused"


class Body(BaseModel):
    """What all bodies share."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, hide_input_in_errors=True)


class ResponseBody(BaseModel):
    """What all answers share; made by field name, written in camelCase."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=False
    )


class NewOrganization(Calendar):
    """`POST /api/organizations`; the calendar's settings may come with it, or later."""

    name: OrganizationName
    tier: KnownTier = "basic"
    id: UUID | None = None


class OrganizationChange(Body):
    """`PATCH /api/organizations/{id}`: what is named is changed, and something must be."""

    name: OrganizationName = Field(default_factory=_absent)
    tier: KnownTier = Field(default_factory=_absent)
    time_zone: TimeZone = Field(default_factory=_absent)

    @model_validator(mode="after")
    def _names_something(self) -> "OrganizationChange":
        if not self.model_fields_set:
            raise ValueError("must name what is to change: name, tier or timeZone")
        return self


class Organization(ResponseBody):
    """An organization as it was saved."""

    success: Literal[True] = True
    id: UUID
    name: str
    tier: str
    revision: int
    calendar: Calendar
    trace_id: str


class LanguageModel(Body):
    """Which language model an assistant uses; everything else of Vapi's `model` stays as it is there."""

    provider: Word
    model: Word


class NewAgent(Body):
    """`POST /api/agents`. What is left out is left to Vapi, and untouched where the assistant exists."""

    id: Identifier | None = None
    org_id: UUID | None = None
    name: AgentName
    system_prompt: Prompt | None = None
    first_message: Prompt | None = None
    voice: dict[str, Any] | None = None
    model: LanguageModel | None = None
    vapi_assistant_id: Identifier | None = None


class AgentChange(Body):
    """`PATCH /api/agents/{id}`: what is named is changed."""

    name: AgentName = Field(default_factory=_absent)
    system_prompt: Prompt | None = None
    first_message: Prompt | None = None
    voice: dict[str, Any] | None = None
    model: LanguageModel | None = None
    vapi_assistant_id: Identifier = Field(default_factory=_absent)


class SyncRequest(Body):
    """`POST /api/assistants/sync`. `orgId` is for the platform, where several organizations have such an agent."""

    agent_id: Identifier
    org_id: UUID | None = None


class AutoSyncRequest(Body):
    """`POST /api/assistants/auto-sync`: one agent, or without `agentId` all of an organization."""

    agent_id: Identifier | None = None
    org_id: UUID | None = None


class Saved(ResponseBody):
    """The answer to a save: 200 with the assistant's id, or 202 while Vapi has not answered.

    `success`: the save is accepted and will not be lost. With 202, `code` and `message` say what keeps it from Vapi
    where that is known, for example a refused key.
    """

    success: bool
    agent_id: str
    org_id: UUID
    assistant_id: str | None
    request_id: UUID
    trace_id: str
    state: Literal["provisioned", "provisioning"]
    code: str | None = Field(default=None, exclude_if=lambda value: value is None)
    message: str | None = Field(default=None, exclude_if=lambda value: value is None)


class AllRequested(ResponseBody):
    """The answer to an auto-sync of a whole organization: how many agents will be synced.

    There is one at a time: while its agents are not all at Vapi, another request joins it (`joined`), and adds nothing.
    """

    success: bool
    org_id: UUID
    auto_sync_id: UUID
    asked_at: datetime
    joined: bool
    requested: int
    trace_id: str
    state: Literal["provisioning"] = "provisioning"


class AtVapi(ResponseBody):
    """What is known of an assistant at Vapi.

    `unknown`: a write was sent, or was about to be, `ageSeconds` ago (`since`), and has no answer. It is looked up as
    soon as it can no longer land, and never repeated before that.
    """

    state: Literal["absent", "present", "unknown"]
    since: datetime | None = None
    age_seconds: float | None = None


class Status(ResponseBody):
    """How far an assistant's tools are.

    `success` is true in the state `synced` alone: the next caller reaches every tool. `no_tools`: the assistant is as
    its clinic wants it, which is without tools, so that it takes no bookings; `code` says why. `failed`: a tool is
    missing, or linked and not usable; `failedTools` are those that no caller reaches. `provisioning` and `syncing` have
    the `code` of what stands in the way, where that is known. `message` says what is so, and who acts where somebody
    must.
    """

    success: bool
    agent_id: str
    org_id: UUID
    assistant_id: str | None
    state: Literal["provisioning", "refused", "syncing", "synced", "no_tools", "failed"]
    tools_registered: tuple[str, ...]
    failed_tools: tuple[str, ...]
    message: str
    code: str | None
    revision: int
    vapi: AtVapi
    trace_id: str | None
    trace_url: str | None
