"""How far a rebuild or verify is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Progress:
    """``done`` of ``total``: positions while ``doing`` is ``fold``, rows while it is ``write``."""

    doing: str
    done: int
    total: int


OnProgress: TypeAlias = Callable[[Progress], None]


def say_nothing(_progress: Progress) -> None:
    """For callers that do not ask."""
