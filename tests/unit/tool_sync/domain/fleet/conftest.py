"""Contract, version and order: the fold of the fleet, and what one clinic gets of one tool by it."""
