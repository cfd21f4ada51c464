"""Words for the tests of the domain: a log by hand, events with everything filled in, and plans at a time."""
