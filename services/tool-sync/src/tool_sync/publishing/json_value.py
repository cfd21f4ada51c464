"""Whether what a file holds is JSON, as PostgreSQL, Vapi and a hash take it. TOML also has dates and ``nan``."""

from collections.abc import Iterator
from math import isfinite
from typing import Any, Final

from tool_sync.publishing.lint_problem import LintProblem, below

DEPTH_MAX: Final = 24
_INTEGER_MAX: Final = 2**53
"""Beyond it JavaScript, which reads it at Vapi, rounds."""


def walk(value: Any, path: str) -> Iterator[tuple[str, Any, int]]:
    """Path, value and depth of everything in the value, itself first, no deeper than one below the limit."""
    rest = [(path, value, 0)]
    while rest:
        where, inner, depth = rest.pop()
        yield where, inner, depth
        if depth > DEPTH_MAX:
            continue
        children = (
            inner.items() if isinstance(inner, dict) else enumerate(inner) if isinstance(inner, list | tuple) else ()
        )
        rest += reversed([(below(where, key), child, depth + 1) for key, child in children])


def json_of(value: Any, path: str, problems: list[LintProblem], depth: int = 0) -> Any:
    """The value with null in the place of each part that is no JSON, or none that arrives as it was written.

    Each such part is added to ``problems``.
    """
    if problem := _problem(path, value, depth):
        problems.append(problem)
        return None
    if isinstance(value, dict):
        return {key: json_of(inner, below(path, key), problems, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [json_of(inner, below(path, index), problems, depth + 1) for index, inner in enumerate(value)]
    return value


def _problem(where: str, value: Any, depth: int) -> LintProblem | None:
    if depth > DEPTH_MAX:
        return LintProblem(where, f"is nested more than {DEPTH_MAX} deep", "write it flatter")
    match value:
        case None | bool() | str() | dict() | list():
            return None
        case int() if abs(value) <= _INTEGER_MAX:
            return None
        case float() if isfinite(value):
            return None
        case int() | float():
            return LintProblem(where, "is no number that every reader keeps", "write it as text, in quotes")
        case _:
            return LintProblem(where, f"is a {type(value).__name__} of TOML", "write it as text, in quotes")
