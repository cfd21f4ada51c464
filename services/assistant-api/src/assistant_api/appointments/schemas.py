"""A clinic's calendar settings as HTTP takes and shows them."""

from itertools import pairwise
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema
from pydantic.alias_generators import to_camel

from assistant_api.appointments.clinic import minute_of
from assistant_api.appointments.countries import is_country
from assistant_api.appointments.text import require_plain
from assistant_api.appointments.zones import is_zone, nearest_zone
from zerotouch_contracts.text import Storable

OPENINGS_A_DAY_MAX: Final = 6
SERVICES_MAX: Final = 100

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Opens = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
CLOSES: Final = r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
Closes = Annotated[str, StringConstraints(pattern=CLOSES)]
Service = Annotated[
    str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True), Storable, AfterValidator(require_plain)
]


def _time_zone(name: str) -> str:
    if not is_zone(name):
        near = nearest_zone(name)
        meant = f"; did you mean {near}?" if near else ""
        raise ValueError(f"must be a name of the IANA time zone database, as Europe/Berlin{meant}")
    return name


def _country(code: str) -> str:
    if not is_country(code):
        raise ValueError("must be an ISO 3166 code of two capital letters, as DE")
    return code


def _openings(intervals: list[tuple[Opens, Closes]]) -> list[tuple[Opens, Closes]]:
    minutes = [(minute_of(opens), minute_of(closes)) for opens, closes in intervals]
    if any(opens >= closes for opens, closes in minutes) or any(a[1] > b[0] for a, b in pairwise(minutes)):
        raise ValueError("must be [from, to] pairs in order that do not overlap")
    return intervals


def _distinct(services: list[str]) -> list[str]:
    if len({service.casefold() for service in services}) != len(services):
        raise ValueError("must not name a service twice")
    return services


TimeZone = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_time_zone)]
Country = Annotated[str, StringConstraints(min_length=2, max_length=2), AfterValidator(_country)]
_INTERVAL: Final = {
    "type": "array", "items": {"type": "string", "pattern": CLOSES}, "minItems": 2, "maxItems": 2
}  # fmt: skip
"""Not `prefixItems`, which generators of clients do not know."""
Openings = Annotated[
    list[Annotated[tuple[Opens, Closes], WithJsonSchema(_INTERVAL)]],
    Field(max_length=OPENINGS_A_DAY_MAX),
    AfterValidator(_openings),
]


class Calendar(BaseModel):
    """Time zone, country, length of a slot, opening hours (None: always open) and services (None: any) of a clinic.

    The country says how national phone numbers are read; None: the country of the time zone, where that has only one.

    Opening hours are local times by weekday, `{"monday": [["09:00", "12:30"], ["13:30", "17:00"]]}`; a day that is
    not there is closed.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, hide_input_in_errors=True
    )

    time_zone: TimeZone = "UTC"
    country: Country | None = None
    slot_minutes: Annotated[int, Field(ge=5, le=480, strict=True)] = 30
    opening_hours: dict[Weekday, Openings] | None = None
    services: (
        Annotated[list[Service], Field(min_length=1, max_length=SERVICES_MAX), AfterValidator(_distinct)] | None
    ) = None
