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

from zerotouch_contracts.arguments import (
    BookClinicAppointment,
    BookClinicAppointmentV2,
    CancelAppointment,
    CancelAppointmentV2,
    RescheduleAppointment,
    RescheduleAppointmentV2,
    ToolArguments,
)

INSTALLATION_HEADER: Final = "X-Zerotouch-Installation"
ORGANIZATION_PARAMETER: Final = "organization_id"
VERSION_PARAMETER: Final = "definition_version"
CONTRACT_PARAMETER: Final = "contract"
STATIC_PARAMETERS: Final = frozenset({ORGANIZATION_PARAMETER, VERSION_PARAMETER, CONTRACT_PARAMETER})
"""Vapi puts their values over whatever the model filled in under these names, so no argument may be called so."""
FIRST_VERSION_WITH_CONTRACT: Final = 3
"""Tools of a lower version may be registered without the parameter `contract`: there a model could fill it in."""

_SCHEMA_KEYS: Final = ("type", "description", "format", "pattern", "enum", "items")
"""The keys that Vapi documents for a property (OpenAPI of 2026-08-20); others are checked by us, not by the model."""


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

    ``contract`` names the argument model together with what acts on it: of one name, equal contracts have one model,
    and a release that knows the contract answers any version that has it (ADR 38).
    ``asynchronous`` is Vapi's ``async``: true means that the model does not wait and never hears the result.
    """

    name: str
    version: int
    contract: int
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
                {"key": CONTRACT_PARAMETER, "value": self.contract},
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


def contract_of(tool: Mapping[str, Any]) -> int | None:
    """The contract that a tool of ours names, 0 where another service answers it; None where it names none.

    One without was registered before contracts were: its version says which it has (:data:`ANSWERED`).
    """
    try:
        contract = _static(tool)[CONTRACT_PARAMETER]
    except (KeyError, TypeError):
        return None
    return contract if type(contract) is int and contract >= 0 else None


def _static(tool: Mapping[str, Any]) -> dict[str, Any]:
    return {item["key"]: item["value"] for item in tool["parameters"]}


BOOK_CLINIC_APPOINTMENT: Final = ToolDefinition(
    name="bookClinicAppointment",
    version=1,
    contract=1,
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
    contract=2,
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
    contract=1,
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
    contract=1,
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
    contract=2,
    description=(
        "Cancels an appointment at this clinic. Use it once the caller has named the patient, the phone number that it"
        " was booked with and its day, and has agreed to cancel it."
    ),
    arguments=CancelAppointmentV2,
)

RESCHEDULE_APPOINTMENT_V2: Final = replace(
    RESCHEDULE_APPOINTMENT,
    version=2,
    contract=2,
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
"""Every version of every tool whose calls are answered; one stays as long as a tool of it can be registered.

A version that is not here is answered by its contract, if one of these has it.
"""
