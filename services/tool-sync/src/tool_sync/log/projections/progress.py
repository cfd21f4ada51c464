"""How far a rebuild or verify is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class RebuildProgress:
    """``done`` of ``total``: positions while ``doing`` is ``fold``, rows while it is ``write``."""

    doing: str
    done: int
    total: int


OnProgress: TypeAlias = Callable[[RebuildProgress], None]


def say_nothing(_progress: RebuildProgress) -> None:
    """For callers that do not ask."""
