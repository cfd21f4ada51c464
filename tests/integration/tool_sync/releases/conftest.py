"""One log and two releases: the one at hand, and a newer one that knows a further type and newer schemas."""
