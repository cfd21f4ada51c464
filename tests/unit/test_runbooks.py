"""The runbook for the night speaks of what the services really say."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ON_CALL = (ROOT / "docs/runbooks/on-call.md").read_text()
SOURCES = sorted(path for path in ROOT.glob("services/*/src/**/*.py"))
TEXT = "\n".join(path.read_text() for path in SOURCES)


def alarms() -> Iterator[str]:
    """The first words of every log call that says ``alarm``."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and any(word.arg == "alarm" for word in node.keywords):
                (event,) = (arg.value for arg in node.args if isinstance(arg, ast.Constant))
                yield str(event)


def named() -> Iterator[str]:
    """What the first column of the table has in backticks."""
    rows = [line.split("|")[1] for line in ON_CALL.splitlines() if line.startswith("| ")]
    for cell in rows:
        yield from re.findall(r"`([^`]+)`", cell)


@pytest.mark.parametrize("event", sorted(set(alarms())))
def test_every_alarm_is_in_the_runbook(event: str) -> None:
    assert f"`{event}`" in ON_CALL


@pytest.mark.parametrize("name", sorted(set(named())))
def test_what_the_runbook_names_is_in_the_code(name: str) -> None:
    assert name in TEXT
