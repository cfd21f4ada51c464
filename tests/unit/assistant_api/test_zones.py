"""Which time zone was meant."""

import pytest

from assistant_api.appointments.zones import is_zone, nearest_zone


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("europe/berlin", "Europe/Berlin"),
        ("Europe/Berln", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("Germany/Berlin", "Europe/Berlin"),
        ("America/New York", "America/New_York"),
        ("utc", "UTC"),
        ("", None),
        ("☃", None),
    ],
)
def test_the_nearest_name(name: str, meant: str | None) -> None:
    assert nearest_zone(name) == meant
    assert not is_zone(name)


def test_a_long_name_is_looked_at_for_a_moment_only() -> None:
    assert nearest_zone("x" * 1_000_000) is None
