"""One thing that is wrong with a tool's file, said to the person who wrote it."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final


@dataclass(frozen=True, slots=True)
class LintProblem:
    """``where`` is a dotted path in the file; ``instead`` says what to write there, in the imperative."""

    where: str
    what: str
    instead: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.instead}"


_NAMES_MAX: Final = 12


def nearest(name: str, known: Iterable[str]) -> str:
    """What to write in the place of a name that nobody knows: the nearest one, or else one of all."""
    names = list(known)
    near = get_close_matches(name, names, n=1) or names[:_NAMES_MAX]
    others = " …" if len(names) > len(near) == _NAMES_MAX else ""
    return f"write {', '.join(map(repr, near[:-1]))}{' or ' if near[:-1] else ''}{near[-1]!r}{others}"


def below(path: str, key: object) -> str:
    """The path of what stands below ``path``, by its key or its place in a list."""
    return f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}" if path else str(key)


def is_within(where: str, path: str) -> bool:
    """Whether a place is ``path`` itself, or stands below it."""
    return where == path or where.startswith((f"{path}.", f"{path}["))
