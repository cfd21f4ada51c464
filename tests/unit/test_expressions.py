"""No regular expression of the services backtracks for longer than its text: each is tried with what expressions hate.

Found by itself, so that a new one cannot be left out: every pattern of a module, and every one that is written where it
is used. (Those of pydantic's fields run on an engine that cannot backtrack.)
"""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
from tests.support.growth import GROWTH_MAX, growth

import assistant_api
import tool_sync
import zerotouch_contracts
import zerotouch_platform

PACKAGES: tuple[ModuleType, ...] = (zerotouch_contracts, zerotouch_platform, assistant_api, tool_sync)
BOUNDED = {
    "assistant_api.appointments.phones._NUMBER": "100 characters were said at most (_SAID_CHARACTERS_MAX)",
}
"""What need not be linear, as its text is short; where that is said."""
OPERATORS_OWN = {"zerotouch_platform.settings"}
"""Reads what operators set, at start."""
STARTS = ("", "1", "```", "- a", "tel:", "(", "a", "http://a", '"')
UNITS = (*' \n1a-@.(`\\":{~', "@.", "1 ", "a ", "- ", "1-", "a.", "<!-- ")
ENDS = ("", "\x00", "!", "x@")
CHARACTERS = 8_000
SECONDS_MAX = 0.15
"""Of such a text, with which what does not backtrack is done in some milliseconds."""
_ALL_OVER = ("search", "sub", "split", "finditer", "findall")
USES = ("fullmatch", "match", *_ALL_OVER)


def _modules() -> Iterator[ModuleType]:
    for package in PACKAGES:
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__"):
                yield importlib.import_module(found.name)


def _patterns() -> Iterator[tuple[str, "re.Pattern[str]", tuple[str, ...]]]:
    for module in _modules():
        source = Path(str(module.__file__)).read_text()
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern):
                text = value.pattern if isinstance(value.pattern, str) else value.pattern.decode()
                uses = tuple(use for use in USES if f"{name}.{use}" in source)
                yield f"{module.__name__}.{name}", re.compile(text, value.flags), uses or USES
        if module.__name__ in OPERATORS_OWN:
            continue
        for place, written in enumerate(_written_where_used(module)):
            yield f"{module.__name__}:{place}", re.compile(written), USES


def _written_where_used(module: ModuleType) -> Iterator[str]:
    for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text())):
        match node:
            case ast.Call(ast.Attribute(ast.Name("re"), use), [ast.Constant(str(pattern)), *_]) if use != "compile":
                yield pattern


PATTERNS = {name: (pattern, uses) for name, pattern, uses in _patterns()}


def slowest_growth(pattern: "re.Pattern[str]", uses: tuple[str, ...] = USES) -> float:
    """Of the ways to use it, on all texts of this module."""
    worst = 0.0
    for use in (getattr(pattern, "search" if name in _ALL_OVER else name) for name in uses):
        for start in STARTS:
            for unit in UNITS:
                for end in ENDS:
                    worst = max(
                        worst, growth(use, partial(_text, start, unit, end), CHARACTERS, seconds_max=SECONDS_MAX)
                    )
                    if worst > GROWTH_MAX:
                        return worst
    return worst


def _text(start: str, unit: str, end: str, characters: int) -> str:
    return start + unit * (characters // len(unit)) + end


def test_every_expression_is_found() -> None:
    assert len(PATTERNS) > 30
    assert "zerotouch_contracts.text._BETWEEN_DIGITS" in PATTERNS
    assert PATTERNS.keys() >= BOUNDED.keys()


@pytest.mark.parametrize("name", sorted(PATTERNS.keys() - BOUNDED.keys()))
def test_an_expression_takes_time_with_the_length_of_its_text_alone(name: str) -> None:
    assert slowest_growth(*PATTERNS[name]) <= GROWTH_MAX


@pytest.mark.parametrize("hostile", [r"\s*```\w*\s*(.*?)\s*```\s*", r"\S@\S+\.\S", r"(?:a+)+b", r"a* *a*b"])
def test_this_test_finds_what_backtracks(hostile: str) -> None:
    assert slowest_growth(re.compile(hostile, re.DOTALL)) > GROWTH_MAX
