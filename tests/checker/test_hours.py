"""The checker reads change windows as the services do, but for hours in which clocks are changed."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from tests.checker.hours import is_shut

from tool_sync.domain.change_window import ChangeWindow, state_of_window

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Cairo")
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("zone", ZONES)
def test_a_window_is_closed_where_the_services_take_it_to_be(zone: str) -> None:
    dice, closed = Random(zone), 0
    for _ in range(400):
        opens = dice.randrange(24 * 60)
        closes = (opens + dice.randrange(60, 23 * 60)) % (24 * 60)
        window = ChangeWindow(f"{opens // 60:02}:{opens % 60:02}", f"{closes // 60:02}:{closes % 60:02}")
        at = NOON + timedelta(minutes=dice.randrange(7 * 24 * 60), seconds=dice.randrange(60))
        is_closed = state_of_window(window, zone, at).closes_at is None
        closed += is_closed
        assert is_shut(window.opens, window.closes, zone, at) == is_closed, (window, at)
    assert 50 < closed < 350


@pytest.mark.parametrize("zone", ZONES)
def test_around_a_change_of_the_clocks_nothing_is_called_closed_that_is_open(zone: str) -> None:
    dice = Random(zone)
    for _ in range(500):
        opens = dice.randrange(24 * 60)
        closes = (opens + dice.randrange(60, 23 * 60)) % (24 * 60)
        window = ChangeWindow(f"{opens // 60:02}:{opens % 60:02}", f"{closes // 60:02}:{closes % 60:02}")
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=dice.randrange(365 * 24 * 60))
        if state_of_window(window, zone, at).closes_at is not None:
            assert not is_shut(window.opens, window.closes, zone, at), (window, at)


def test_a_zone_that_nobody_knows_is_utc() -> None:
    assert is_shut("22:00", "06:00", "Mars/Olympus", NOON)
    assert not is_shut("11:00", "13:00", "Mars/Olympus", NOON)
