"""For the tests of a subscriber: sample outcomes, a feed in memory, and pytest fixtures.

    pytest_plugins = ["zerotouch_contracts.testing.fixtures"]

Needs the extra ``[testing]``; nothing here is for production.
"""

from zerotouch_contracts.testing.feed import MemoryFeed
from zerotouch_contracts.testing.samples import OutcomeSamples, record_of

__all__ = ["MemoryFeed", "OutcomeSamples", "record_of"]
