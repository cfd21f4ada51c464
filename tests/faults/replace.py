"""Putting something else in the place of an attribute, and saying so loudly where the product has moved it."""

from collections.abc import Callable
from typing import Any


def replace(owner: object, name: str, make: Callable[[Any], Any]) -> None:
    """Set ``owner.name`` to what ``make`` builds around its present value; AttributeError where there is none."""
    setattr(owner, name, make(getattr(owner, name)))
