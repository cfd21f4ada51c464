"""One reconciler over a real log and a sandbox in the test's own process; time is not faked, waits are short."""

from .world import world as world
