"""The fixtures; see :mod:`zerotouch_contracts.testing`."""

import pytest

from zerotouch_contracts.testing.feed import FleetMemoryFeed, MemoryFeed
from zerotouch_contracts.testing.samples import FleetSamples, OutcomeSamples


@pytest.fixture
def outcome_samples() -> OutcomeSamples:
    """An empty log to make outcomes in."""
    return OutcomeSamples()


@pytest.fixture
def memory_feed(outcome_samples: OutcomeSamples) -> MemoryFeed:
    """A feed of everything that ``outcome_samples`` has made by the time it is asked."""
    return MemoryFeed(outcome_samples.log_id, outcome_samples.made)


@pytest.fixture
def fleet_samples() -> FleetSamples:
    """An empty log to make messages about tools and rollouts in."""
    return FleetSamples()


@pytest.fixture
def fleet_feed(fleet_samples: FleetSamples) -> FleetMemoryFeed:
    """A feed of everything that ``fleet_samples`` has made by the time it is asked."""
    return FleetMemoryFeed(fleet_samples.log_id, fleet_samples.made)
