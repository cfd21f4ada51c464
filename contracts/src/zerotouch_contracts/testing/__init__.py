"""For the tests of a subscriber: sample messages, a feed in memory, and pytest fixtures.

    pytest_plugins = ["zerotouch_contracts.testing.fixtures"]

Needs the extra ``[testing]``; nothing here is for production.
"""

from zerotouch_contracts.testing.feed import FleetMemoryFeed, MemoryFeed
from zerotouch_contracts.testing.samples import FleetSamples, OutcomeSamples, record_of

__all__ = ["FleetMemoryFeed", "FleetSamples", "MemoryFeed", "OutcomeSamples", "record_of"]
