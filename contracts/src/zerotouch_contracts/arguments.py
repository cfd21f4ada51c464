"""The arguments of our tools: one model of each version, which validates the call in the webhook.

Its JSON Schema is what Vapi is told, in the subset that Vapi documents: see :mod:`zerotouch_contracts.tools`.
"""

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator
from pydantic.alias_generators import to_camel

from zerotouch_contracts.filled_in import Day, Notes, Phone, Time, Words


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
