"""The runbook for the night speaks of what the services really say."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tool_sync.cli.app import app
from zerotouch_contracts.errors import ErrorCode

ROOT = Path(__file__).parents[2]
ON_CALL = (ROOT / "docs/runbooks/on-call.md").read_text()
CANNOT_BOOK = (ROOT / "docs/runbooks/cannot-book.md").read_text()
SOURCES = sorted(path for path in ROOT.glob("services/*/src/**/*.py"))
TEXT = "\n".join(path.read_text() for path in SOURCES)


def alarms() -> Iterator[str]:
    """The first words of every log call that says ``alarm``."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and any(word.arg == "alarm" for word in node.keywords):
                (event,) = (arg.value for arg in node.args if isinstance(arg, ast.Constant))
                yield str(event)


def named(page: str) -> Iterator[str]:
    """What the first column of the table has in backticks."""
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| ")]
    for cell in rows:
        yield from re.findall(r"`([^`]+)`", cell)


@pytest.mark.parametrize("event", sorted(set(alarms())))
def test_every_alarm_is_in_the_runbook(event: str) -> None:
    assert f"`{event}`" in ON_CALL


@pytest.mark.parametrize("name", sorted({*named(ON_CALL), *named(CANNOT_BOOK)}))
def test_what_the_runbook_names_is_in_the_code(name: str) -> None:
    assert name in TEXT or name in set(ErrorCode)


STANDS_IN_THE_WAY = [code for code in ErrorCode if code[:4] in ("TS-2", "TS-3", "TS-5")]


@pytest.mark.parametrize("code", STANDS_IN_THE_WAY)
def test_every_code_that_keeps_callers_from_booking_is_in_its_runbook(code: ErrorCode) -> None:
    assert f"`{code.value}`" in CANNOT_BOOK


def commands(page: str) -> Iterator[str]:
    """The first word of every command of tool-sync that a page names."""
    yield from re.findall(r"tool-sync ([a-z][a-z-]+)", page)


@pytest.mark.parametrize("name", sorted({*commands(ON_CALL), *commands(CANNOT_BOOK)}))
def test_every_command_that_a_runbook_names_is_there(name: str) -> None:
    names = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    assert name in names | {group.name for group in app.registered_groups}
