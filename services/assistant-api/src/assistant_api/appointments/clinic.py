"""A clinic's calendar settings as the table `organizations` holds them."""

from collections.abc import Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

from assistant_api.appointments.calendar import Clinic, Opening
from assistant_api.appointments.countries import country_of, is_country

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

COLUMNS: Final = "id, calendar, time_zone, country, slot_minutes, opening_hours, services"


def from_row(row: Mapping[str, Any]) -> Clinic:
    """The clinic of a row with ``COLUMNS``."""
    hours: Mapping[str, list[list[str]]] | None = row["opening_hours"]
    openings = None
    if hours is not None:
        openings = {
            WEEKDAYS.index(day): tuple(Opening(minute_of(opens), minute_of(closes)) for opens, closes in intervals)
            for day, intervals in hours.items()
        }
    return Clinic(
        org_id=row["id"],
        number=row["calendar"],
        zone=ZoneInfo(row["time_zone"]),
        slot_minutes=row["slot_minutes"],
        openings=openings,
        services=tuple(row["services"] or ()),
        country=country_of_clinic(row["country"], row["time_zone"]),
    )


def country_of_clinic(chosen: str | None, time_zone: str) -> str | None:
    """The clinic's country (ISO 3166 alpha-2): the one that was set, else the one that its time zone says, if any."""
    return chosen if chosen is not None and is_country(chosen) else country_of(time_zone)


def minute_of(text: str) -> int:
    """The minute of the day that `HH:MM` names; 24:00 is its end."""
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)
