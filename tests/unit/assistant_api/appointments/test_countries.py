"""The country that a time zone's name says, and when it says none."""

from zoneinfo import available_timezones

import pytest

from assistant_api.appointments.clinic import country_of_clinic
from assistant_api.appointments.countries import country_of, is_country


@pytest.mark.parametrize(
    ("zone", "country"),
    [
        ("Europe/Berlin", "DE"),
        ("Europe/Busingen", "DE"),
        ("Europe/Oslo", "NO"),  # a link to Berlin in the newest tzdata, and a zone of its own in zone.tab
        ("Europe/London", "GB"),
        ("Europe/Jersey", "JE"),
        ("America/New_York", "US"),
        ("America/Toronto", "CA"),
        ("Asia/Calcutta", "IN"),  # browsers still say it
        ("Europe/Kiev", "UA"),
        ("America/Buenos_Aires", "AR"),
        ("US/Eastern", "US"),
    ],
)
def test_a_zone_of_one_country_says_it(zone: str, country: str) -> None:
    assert country_of(zone) == country


@pytest.mark.parametrize(
    "zone",
    [
        "UTC", "Etc/UTC", "Etc/GMT+1", "EST5EDT", "EET", "WET", "CET",
        "Europe/Simferopol",  # the two tables give it to two countries
        "Atlantic/Jan_Mayen", "America/Coral_Harbour", "America/Montreal", "Europe/Belfast",  # names of others' zones
        "Antarctica/Troll",  # nobody's numbering plan
        "Mars/Olympus", "",
    ],
)  # fmt: skip
def test_a_zone_of_none_or_of_several_says_nothing(zone: str) -> None:
    assert country_of(zone) is None


@pytest.mark.parametrize(
    ("chosen", "zone", "country"),
    [("AT", "Europe/Berlin", "AT"), (None, "Europe/Berlin", "DE"), (None, "UTC", None), ("US", "UTC", "US"),
     ("XX", "Europe/Berlin", "DE"), ("XX", "UTC", None)],
)  # fmt: skip
def test_what_a_clinic_says_comes_before_its_zone(chosen: str | None, zone: str, country: str | None) -> None:
    """XX: by plain SQL; a clinic whose country nobody knows must not refuse every number."""
    assert country_of_clinic(chosen, zone) == country


def test_what_is_derived_is_always_a_country_with_a_numbering_plan() -> None:
    derived = {country_of(zone) for zone in available_timezones()} - {None}

    assert len(derived) > 200
    assert all(is_country(str(country)) for country in derived)
    assert not any(is_country(code) for code in ("de", "001", "XX", "EU", "", "DEU"))
