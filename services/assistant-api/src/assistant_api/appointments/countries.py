"""In which country a clinic is, where its time zone says so: the plan by which a national phone number is read.

From tzdata's own tables, as the package ships them: `zone.tab` gives each zone one country, `zone1970.tab` all
countries of a zone, the one with most people first, and the lines `L target name` of `tzdata.zi` are other names.
"""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Final

from phonenumbers import SUPPORTED_REGIONS

_TABLES: Final = files("tzdata") / "zoneinfo"


def is_country(code: str) -> bool:
    """Whether this is an ISO 3166 alpha-2 code, in capitals, of a country with a numbering plan."""
    return code in SUPPORTED_REGIONS


@cache
def country_of(zone: str) -> str | None:
    """The one country of a time zone's name, or None where there is none, or where several come into question.

    A zone that stands in `zone.tab` has its country, unless `zone1970.tab` thinks otherwise (Europe/Simferopol).
    Another name of a zone (Asia/Calcutta) has the country of the zone if that is nobody else's: Atlantic/Jan_Mayen is
    a name of Europe/Berlin. Names without a place (EET) have none.
    """
    one, shared, targets = _one(), _shared(), _targets()
    if zone in one:
        code = one[zone]
        agreed = shared.get(zone, (code,))[0] == code
        return code if agreed and is_country(code) else None
    countries = shared.get(targets.get(zone, ""), ())
    return countries[0] if "/" in zone and len(countries) == 1 and is_country(countries[0]) else None


@cache
def _one() -> dict[str, str]:
    return {zone: code for code, _, zone, *_ in _rows("zone.tab")}


@cache
def _shared() -> dict[str, tuple[str, ...]]:
    return {zone: tuple(codes.split(",")) for codes, _, zone, *_ in _rows("zone1970.tab")}


@cache
def _targets() -> dict[str, str]:
    lines = (line.split() for line in (_TABLES / "tzdata.zi").read_text("utf-8").splitlines())
    return {words[2]: words[1] for words in lines if words and words[0] == "L"}


def _rows(table: str) -> Iterator[list[str]]:
    lines = (_TABLES / table).read_text("utf-8").splitlines()
    return (line.split("\t") for line in lines if line and not line.startswith("#"))
