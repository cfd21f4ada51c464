"""The unified tool definitions: one pydantic model of the arguments is the single source.

Its JSON Schema is registered with Vapi, is described in the assistant's prompt, and validates the call in the webhook.

Vapi tools have no metadata, no idempotency key and no name filter. What identifies a tool as ours is the installation
id (a server header) together with the static parameter ``organization_id`` and the function's name: see
:class:`ToolMarker`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator
from pydantic.alias_generators import to_camel

from zerotouch_contracts.filled_in import Day, Notes, Phone, Time, Words

INSTALLATION_HEADER: Final = "X-Zerotouch-Installation"
ORGANIZATION_PARAMETER: Final = "organization_id"
VERSION_PARAMETER: Final = "definition_version"

_SCHEMA_KEYS: Final = ("type", "description", "format", "pattern", "enum", "items")
"""The keys that Vapi documents for a property (OpenAPI of 2026-08-20); others are checked by us, not by the model."""


class ToolArguments(BaseModel):
    """What all argument models share: camelCase names on the wire; what the tool does not have is ignored.

    The registered schema allows more keys, and models add some. null stands for a value that was left out.
    """

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, hide_input_in_errors=True, strict=True
    )

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        return {key: value for key, value in given.items() if value is not None} if isinstance(given, dict) else given


class BookClinicAppointment(ToolArguments):
    """The arguments of ``bookClinicAppointment``."""

    patient_name: Words = Field(description="Full name of the patient.")
    patient_phone: Phone = Field(
        description="Phone number of the patient, with country code where the caller gives one."
    )
    service: Words = Field(description="What the appointment is for, for example check-up or cleaning.")
    appointment_date: Day = Field(description="Day of the appointment in the clinic's time zone, as YYYY-MM-DD.")
    appointment_time: Time = Field(
        description="Start of the appointment in the clinic's time zone, 24-hour clock, as HH:MM."
    )
    notes: Notes = Field(
        default="", description="Anything else that the clinic should know. Leave it out if there is nothing."
    )


_SAYS_SOMETHING: Final[dict[str, JsonValue]] = {"pattern": r"\S"}
_HAS_A_DIGIT: Final[dict[str, JsonValue]] = {"pattern": "[0-9]"}
_IS_A_DAY: Final[dict[str, JsonValue]] = {"pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
"""Forms that the registered schema says from version 2 on; the validator reads more (ADR 26)."""


class BookClinicAppointmentV2(BookClinicAppointment):
    """The same arguments; the registered schema has their forms, as far as Vapi's keys can say them, and examples."""

    patient_name: Words = Field(
        description="Full name of the patient, as the caller says it.", json_schema_extra=_SAYS_SOMETHING
    )
    patient_phone: Phone = Field(
        description="Phone number of the patient as text, with country code where the caller gives one, for example"
        " +49 30 1234567.",
        json_schema_extra=_HAS_A_DIGIT,
    )
    service: Words = Field(
        description="What the appointment is for, for example check-up or cleaning.",
        json_schema_extra=_SAYS_SOMETHING,
    )
    appointment_date: Day = Field(
        description="Day of the appointment in the clinic's time zone, as YYYY-MM-DD, for example 2026-12-03.",
        json_schema_extra=_IS_A_DAY,
    )
    appointment_time: Time = Field(
        description="Start of the appointment in the clinic's time zone, 24-hour clock, as HH:MM, for example 09:30 or"
        " 14:30."
    )


class CancelAppointment(ToolArguments):
    """The arguments of ``cancelAppointment``: who calls, and the day of the appointment."""

    patient_phone: Phone = Field(description="Phone number that the appointment was booked with.")
    appointment_date: Day = Field(description="Day of the appointment to cancel, as YYYY-MM-DD.")


class RescheduleAppointment(ToolArguments):
    """The arguments of ``rescheduleAppointment``: who calls, the day of the appointment, and its new time."""

    patient_phone: Phone = Field(description="Phone number that the appointment was booked with.")
    appointment_date: Day = Field(description="Day of the appointment to move, as YYYY-MM-DD.")
    new_date: Day = Field(description="New day in the clinic's time zone, as YYYY-MM-DD.")
    new_time: Time = Field(description="New start in the clinic's time zone, 24-hour clock, as HH:MM.")


_NAME_ON_IT: Final = "Full name of the patient, as the appointment was booked under it."
_ITS_NUMBER: Final = "Phone number that the appointment was booked with, as text, for example +49 30 1234567."


class CancelAppointmentV2(CancelAppointment):
    """Version 2: the name lets a caller cancel who does not call from the number of the appointment."""

    patient_phone: Phone = Field(description=_ITS_NUMBER, json_schema_extra=_HAS_A_DIGIT)
    appointment_date: Day = Field(
        description="Day of the appointment to cancel, as YYYY-MM-DD, for example 2026-12-03.",
        json_schema_extra=_IS_A_DAY,
    )
    patient_name: Words = Field(description=_NAME_ON_IT, json_schema_extra=_SAYS_SOMETHING)


class RescheduleAppointmentV2(RescheduleAppointment):
    """Version 2: the name lets a caller move an appointment who does not call from its number."""

    patient_phone: Phone = Field(description=_ITS_NUMBER, json_schema_extra=_HAS_A_DIGIT)
    appointment_date: Day = Field(
        description="Day of the appointment to move, as YYYY-MM-DD, for example 2026-12-03.",
        json_schema_extra=_IS_A_DAY,
    )
    new_date: Day = Field(
        description="New day in the clinic's time zone, as YYYY-MM-DD, for example 2026-12-03.",
        json_schema_extra=_IS_A_DAY,
    )
    new_time: Time = Field(
        description="New start in the clinic's time zone, 24-hour clock, as HH:MM, for example 09:30 or 14:30."
    )
    patient_name: Words = Field(description=_NAME_ON_IT, json_schema_extra=_SAYS_SOMETHING)


@cache
def _parameters_schema(arguments: type[ToolArguments]) -> Mapping[str, Any]:
    schema = arguments.model_json_schema(by_alias=True)
    properties: Mapping[str, Mapping[str, Any]] = schema["properties"]
    return {
        "type": "object",
        "properties": {
            name: {key: spec[key] for key in _SCHEMA_KEYS if key in spec} for name, spec in properties.items()
        },
        "required": list(schema.get("required", ())),
    }


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """A tool of the blueprint. ``tier`` is the lowest tier that gets it; ``version`` rises with every change.

    ``asynchronous`` is Vapi's ``async``: true means that the model does not wait and never hears the result.
    """

    name: str
    version: int
    description: str
    arguments: type[ToolArguments]
    asynchronous: bool
    timeout_seconds: int
    tier: str = "basic"

    def parameters_schema(self) -> Mapping[str, Any]:
        """The JSON Schema of the arguments, in the subset that Vapi documents. Not to be changed: it is shared."""
        return _parameters_schema(self.arguments)

    def vapi_payload(
        self, org_id: UUID, *, server_url: str, installation_id: UUID, credential_id: str | None = None
    ) -> dict[str, Any]:
        """The body of ``POST /tool`` for one org. What it holds decides the definition hash of the org's tool."""
        server: dict[str, Any] = {
            "url": server_url,
            "timeoutSeconds": self.timeout_seconds,
            "headers": {INSTALLATION_HEADER: str(installation_id)},
        }
        if credential_id is not None:
            server["credentialId"] = credential_id
        return {
            "type": "function",
            "async": self.asynchronous,
            "function": {
                "name": self.name,
                "description": self.description,
                "parameters": self.parameters_schema(),
            },
            "server": server,
            "parameters": [
                {"key": ORGANIZATION_PARAMETER, "value": str(org_id)},
                {"key": VERSION_PARAMETER, "value": self.version},
            ],
        }


@dataclass(frozen=True, slots=True)
class ToolMarker:
    """Which of our tools a tool at Vapi is: the only identity that survives a lost answer."""

    installation_id: UUID
    org_id: UUID
    name: str

    @classmethod
    def of(cls, tool: object) -> "ToolMarker | None":
        """The marker of a tool as Vapi returns it, or None where it is not one of ours."""
        if not isinstance(tool, dict):
            return None
        try:
            return cls(
                installation_id=UUID(tool["server"]["headers"][INSTALLATION_HEADER]),
                org_id=UUID(_static(tool)[ORGANIZATION_PARAMETER]),
                name=str(tool["function"]["name"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            return None


def version_of(tool: Mapping[str, Any]) -> int:
    """The definition version that a tool of ours says it has, whichever release made it; 1 where it says none."""
    try:
        version = _static(tool)[VERSION_PARAMETER]
    except (KeyError, TypeError):
        return 1
    return version if type(version) is int and version > 0 else 1


def _static(tool: Mapping[str, Any]) -> dict[str, Any]:
    return {item["key"]: item["value"] for item in tool["parameters"]}


BOOK_CLINIC_APPOINTMENT: Final = ToolDefinition(
    name="bookClinicAppointment",
    version=1,
    description=(
        "Books an appointment at this clinic. Use it once the caller has named the patient, a phone number, the"
        " service, a day and a time, and has agreed to them."
    ),
    arguments=BookClinicAppointment,
    asynchronous=True,
    timeout_seconds=20,
)
"""As first specified: Vapi tells the model at once that the tool was called, and the model never hears the answer."""

BOOK_CLINIC_APPOINTMENT_V2: Final = replace(
    BOOK_CLINIC_APPOINTMENT,
    version=2,
    arguments=BookClinicAppointmentV2,
    description=(
        f"{BOOK_CLINIC_APPOINTMENT.description} Wait for its answer: only that says whether the appointment is booked,"
        " and what else is free if it is not."
    ),
    asynchronous=False,
)
"""The model waits, and says what is true (ADR 4)."""

CANCEL_APPOINTMENT: Final = ToolDefinition(
    name="cancelAppointment",
    version=1,
    description=(
        "Cancels an appointment at this clinic. Use it once the caller has named the phone number that it was booked"
        " with and its day, and has agreed to cancel it."
    ),
    arguments=CancelAppointment,
    asynchronous=False,
    timeout_seconds=20,
)

RESCHEDULE_APPOINTMENT: Final = ToolDefinition(
    name="rescheduleAppointment",
    version=1,
    description=(
        "Moves an appointment at this clinic to another time. Use it once the caller has named the phone number that it"
        " was booked with, its day, and the new day and time, and has agreed to them."
    ),
    arguments=RescheduleAppointment,
    asynchronous=False,
    timeout_seconds=20,
)

CANCEL_APPOINTMENT_V2: Final = replace(
    CANCEL_APPOINTMENT,
    version=2,
    description=(
        "Cancels an appointment at this clinic. Use it once the caller has named the patient, the phone number that it"
        " was booked with and its day, and has agreed to cancel it."
    ),
    arguments=CancelAppointmentV2,
)

RESCHEDULE_APPOINTMENT_V2: Final = replace(
    RESCHEDULE_APPOINTMENT,
    version=2,
    description=(
        "Moves an appointment at this clinic to another time. Use it once the caller has named the patient, the phone"
        " number that it was booked with, its day, and the new day and time, and has agreed to them."
    ),
    arguments=RescheduleAppointmentV2,
)

DEFINITIONS: Final[tuple[ToolDefinition, ...]] = (BOOK_CLINIC_APPOINTMENT_V2,)
"""The newest version of every tool that is registered with Vapi."""

ANSWERED: Final[tuple[ToolDefinition, ...]] = (
    BOOK_CLINIC_APPOINTMENT,
    BOOK_CLINIC_APPOINTMENT_V2,
    CANCEL_APPOINTMENT,
    RESCHEDULE_APPOINTMENT,
    CANCEL_APPOINTMENT_V2,
    RESCHEDULE_APPOINTMENT_V2,
)
"""Every version of every tool whose calls are answered; one stays as long as a tool of it can be registered."""
