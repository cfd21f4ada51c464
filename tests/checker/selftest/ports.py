"""Taking hold of a place in a service: an error where the place is gone, so that no mutant changes nothing unseen."""

from typing import Any


def port(owner: Any, name: str) -> Any:
    """What stands there now."""
    return getattr(owner, name)


def put(owner: Any, name: str, value: object) -> None:
    """Put something else there."""
    port(owner, name)
    setattr(owner, name, value)
