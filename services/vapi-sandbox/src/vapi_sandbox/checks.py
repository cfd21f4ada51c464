"""Request validation, compiled once: whitelist, forbid the unknown, report every problem.

A check is a function of (value, path, problems) that appends sentences. `path` is '' at the root, else ends in '.'
(`server.`), and stands before both kinds of sentence: `server.url must be a string`,
`server.property method should not exist`. An optional field that is null counts as not given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import UUID

Problems = list[str]
Check = Callable[[Any, str, Problems], None]


def obj(fields: Mapping[str, Check], required: Iterable[str] = ()) -> Check:
    """Make a check for an object that has these fields and no others."""
    needed = tuple(required)

    def check(value: Any, path: str, problems: Problems) -> None:
        if not isinstance(value, dict):
            problems.append(f"{path.rstrip('.') or 'body'} must be an object")
            return
        for name in value:
            if name not in fields:
                problems.append(f"{path}property {name} should not exist")
        # By what is there, not by all that could be: every write is checked, and most fields are left out.
        for name, item in value.items():
            if item is not None and name in fields:
                fields[name](item, f"{path}{name}.", problems)
        for name in needed:
            if value.get(name) is None:
                fields[name](None, f"{path}{name}.", problems)

    return check


def array(item: Check) -> Check:
    """Make a check for an array; the position is part of the path."""

    def check(value: Any, path: str, problems: Problems) -> None:
        if not isinstance(value, list):
            problems.append(f"{path[:-1]} must be an array")
            return
        for position, element in enumerate(value):
            item(element, f"{path}{position}.", problems)

    return check


def text(*, longest: int | None = None, shortest: int | None = None, pattern: str | None = None) -> Check:
    """Make a check for a string, its length in characters, and its whole form."""
    form = re.compile(pattern) if pattern else None

    def check(value: Any, path: str, problems: Problems) -> None:
        name = path[:-1]
        if longest is not None and not (isinstance(value, str) and len(value) <= longest):
            problems.append(f"{name} must be shorter than or equal to {longest} characters")
        if shortest is not None and not (isinstance(value, str) and len(value) >= shortest):
            problems.append(f"{name} must be longer than or equal to {shortest} characters")
        if form is not None and not (isinstance(value, str) and form.fullmatch(value)):
            problems.append(f"{name} must match {pattern} regular expression")
        if not isinstance(value, str):
            problems.append(f"{name} must be a string")

    return check


def number(least: float | None = None, most: float | None = None) -> Check:
    """Make a check for a number within bounds, both included."""

    def check(value: Any, path: str, problems: Problems) -> None:
        name = path[:-1]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if most is not None and (not is_number or value > most):
            problems.append(f"{name} must not be greater than {most:g}")
        if least is not None and (not is_number or value < least):
            problems.append(f"{name} must not be less than {least:g}")
        if not is_number:
            problems.append(f"{name} must be a number conforming to the specified constraints")

    return check


def one_of(values: Iterable[str], *, dotted: bool = False) -> Check:
    """Make a check for one of a set of strings; `dotted` chooses the wording seen for providers."""
    values = tuple(values)
    allowed = frozenset(values)
    listed = ", ".join(values)
    sentence = f"must be one of: {listed}" if dotted else f"must be one of the following values: {listed}"

    def check(value: Any, path: str, problems: Problems) -> None:
        if not isinstance(value, str) or value not in allowed:
            problems.append(f"{path[:-1]} {sentence}")
        if not isinstance(value, str):
            problems.append(f"{path[:-1]} must be a string")

    return check


def boolean(value: Any, path: str, problems: Problems) -> None:
    """Check for true or false."""
    if not isinstance(value, bool):
        problems.append(f"{path[:-1]} must be a boolean value")


def free_object(value: Any, path: str, problems: Problems) -> None:
    """Check for an object of any content."""
    if not isinstance(value, dict):
        problems.append(f"{path[:-1]} must be an object")


def anything(value: Any, path: str, problems: Problems) -> None:
    """Accept any value."""


def uuid(value: Any, path: str, problems: Problems) -> None:
    """Check for a UUID in its usual form."""
    if not isinstance(value, str) or not is_uuid(value):
        problems.append(f"{path[:-1]} must be a UUID")


def is_uuid(text: str) -> bool:
    """Say whether a text is a UUID in its usual form, in either case."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False
